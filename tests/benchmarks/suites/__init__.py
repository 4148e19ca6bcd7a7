"""The benchmarks. Each module has NAMES, the reports it can make, and run(bench, wanted), which makes those wanted."""
