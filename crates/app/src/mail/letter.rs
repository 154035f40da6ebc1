//! A letter: written once, shown as plain text and as a page of HTML that says the same.

use crate::Locale;

/// A piece of a letter.
pub(super) enum Piece {
    /// A paragraph.
    Says(String),
    /// An address to go to, and what that does.
    Link { label: &'static str, url: String },
    /// Names and values: when, from where.
    Facts(Vec<(&'static str, String)>),
}

/// What is to be said.
pub(super) struct Letter {
    pub(super) locale: Locale,
    pub(super) subject: &'static str,
    pub(super) pieces: Vec<Piece>,
}

impl Letter {
    /// Plain text; a link stands alone on its line.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Says(words) => text.push_str(&one_line(words)),
                Piece::Link { url, .. } => text.push_str(&one_line(url)),
                Piece::Facts(facts) => {
                    let lines: Vec<_> =
                        facts.iter().map(|(name, value)| format!("{name}: {}", one_line(value))).collect();
                    text.push_str(&lines.join("\n"));
                }
            }
            text.push_str("\n\n");
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        text
    }

    /// A page without images, scripts or anything fetched from elsewhere.
    pub(super) fn html(&self) -> String {
        let lang = match self.locale {
            Locale::Es => "es",
            Locale::En => "en",
        };
        let subject = escaped(self.subject);
        let body: String = self.pieces.iter().map(html_piece).collect();
        format!(
            "<!DOCTYPE html>\n\
             <html lang=\"{lang}\">\n\
             <head>\n\
             <meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>{subject}</title>\n\
             </head>\n\
             <body style=\"margin:0;padding:24px;font-family:system-ui,-apple-system,'Segoe UI',sans-serif;\
             font-size:16px;line-height:1.5\">\n\
             <main style=\"max-width:34em;margin:0 auto\">\n\
             <h1 style=\"font-size:20px;line-height:1.3;margin:0 0 16px\">{subject}</h1>\n\
             {body}</main>\n\
             </body>\n\
             </html>\n"
        )
    }
}

fn html_piece(piece: &Piece) -> String {
    match piece {
        Piece::Says(words) => format!("<p style=\"margin:0 0 16px\">{}</p>\n", escaped(words)),
        Piece::Link { label, url } => {
            let (label, url) = (escaped(label), escaped(url));
            format!(
                "<p style=\"margin:0 0 16px\">\n<a href=\"{url}\" style=\"display:inline-block;padding:10px 18px;\
                 border-radius:6px;background:#1a4f8b;color:#ffffff;text-decoration:none\">{label}</a>\n</p>\n\
                 <p style=\"margin:0 0 16px;font-size:14px;overflow-wrap:anywhere\">{url}</p>\n"
            )
        }
        Piece::Facts(facts) => {
            let rows = facts.iter().fold(String::new(), |rows, (name, value)| {
                rows + "<li>" + &escaped(name) + ": " + &escaped(value) + "</li>\n"
            });
            format!("<ul style=\"margin:0 0 16px;padding-left:20px\">\n{rows}</ul>\n")
        }
    }
}

/// Text as it may stand between tags and in quoted attributes.
fn escaped(text: &str) -> String {
    one_line(text).chars().fold(String::with_capacity(text.len()), |mut html, c| {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
        html
    })
}

/// Without control characters: a value cannot begin a line of its own.
fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_in_html_and_kept_in_text() {
        let letter = Letter {
            locale: Locale::En,
            subject: "It's <b>",
            pieces: vec![
                Piece::Says("<script>alert(1)</script> & co\r\nBcc: x@y.z".to_owned()),
                Piece::Link { label: "Go", url: "https://a.example/?a=1&b=\"><img>".to_owned() },
                Piece::Facts(vec![("From", "<i>here</i>".to_owned())]),
            ],
        };
        let html = letter.html();
        assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; coBcc: x@y.z"), "{html}");
        assert!(html.contains("href=\"https://a.example/?a=1&amp;b=&quot;&gt;&lt;img&gt;\""), "{html}");
        assert!(html.contains("<title>It&#39;s &lt;b&gt;</title>"), "{html}");
        assert!(!html.contains("<script>") && !html.contains("<img>") && !html.contains("<i>"), "{html}");
        let text = letter.text();
        assert!(text.starts_with("<script>alert(1)</script> & coBcc: x@y.z\n\n"), "{text}");
        assert!(text.ends_with("From: <i>here</i>\n"), "{text}");
    }
}
