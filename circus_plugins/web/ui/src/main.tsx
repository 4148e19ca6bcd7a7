import { render } from "preact";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/frame.css";
import "./styles/parts.css";
import "./styles/lists.css";
import "./styles/pages.css";
import { atLogin, Console } from "./console";
import { open } from "./wire/connection";

render(<Console />, document.getElementById("console")!);
if (!atLogin) open();
