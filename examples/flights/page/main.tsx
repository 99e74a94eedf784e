import { render } from "preact";
import { App } from "./app.tsx";
import { connect, keepAddress } from "./store.ts";
import "./styles/base.css";
import "./styles/map.css";
import "./styles/panels.css";
import "./styles/timeline.css";
import "./styles/table.css";
import "./styles/small.css";

keepAddress();
render(<App />, document.getElementById("page")!);
connect();
