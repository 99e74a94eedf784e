import { render } from "preact";
import { App } from "./app.tsx";
import { start } from "./live/store.ts";
import { startRouter } from "./router.ts";
import "uplot/dist/uPlot.min.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/parts.css";
import "./styles/charts.css";
import "./styles/overview.css";
import "./styles/query.css";
import "./styles/explore.css";
import { startTheme } from "./theme.ts";

startTheme();
startRouter();
start();
render(<App />, document.getElementById("app")!);
