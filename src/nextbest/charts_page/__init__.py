"""One document of figures and ECharts options as one self-contained page (`page.write_page`); knows no domain."""
