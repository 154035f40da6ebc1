# Sourced by deploy/test/run: the chart, by Helm's own library.

say "what renders the chart"
. deploy/test/python.sh
say "chart"
"$python/bin/python" deploy/test/chart.py deploy/helm/cerrojo "$cerrojo" || fail "the chart does not hold"
