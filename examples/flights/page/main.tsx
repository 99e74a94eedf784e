import { render } from "preact";
import { App } from "./app.tsx";
import { connect, keepAddress } from "./store.ts";
import "./style.css";

keepAddress();
render(<App />, document.getElementById("page")!);
connect();
