# Benchmarks beside their peers in one run; the report goes to $(B)/bench/report.md.
.PHONY: bench
bench: $(B)/softfactory
	SF_BIN=$(abspath $(B))/softfactory node bench/run.mjs $(B)/bench
