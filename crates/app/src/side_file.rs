//! side_file
