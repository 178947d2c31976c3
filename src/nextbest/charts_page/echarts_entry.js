// What the page draws with, and nothing else of ECharts. Rebuilt as README.md beside this file says.
import * as core from "echarts/core";
import {BarChart, CustomChart, HeatmapChart, LineChart, PieChart, ScatterChart} from "echarts/charts";
import {
  AriaComponent,
  DataZoomComponent,
  GridComponent,
  LegendComponent,
  MarkAreaComponent,
  MarkLineComponent,
  MarkPointComponent,
  TooltipComponent,
  VisualMapComponent,
} from "echarts/components";
import {LabelLayout} from "echarts/features";
import {SVGRenderer} from "echarts/renderers";
import russian from "echarts/i18n/langRU-obj.js";

core.use([
  BarChart, CustomChart, HeatmapChart, LineChart, PieChart, ScatterChart,
  AriaComponent, DataZoomComponent, GridComponent, LegendComponent, MarkAreaComponent, MarkLineComponent,
  MarkPointComponent, TooltipComponent, VisualMapComponent, LabelLayout, SVGRenderer,
]);
core.registerLocale("RU", russian);

export const {init, registerTheme, version} = core;
