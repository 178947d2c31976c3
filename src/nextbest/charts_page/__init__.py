"""One document of figures and ECharts options as one self-contained page; knows no domain."""
