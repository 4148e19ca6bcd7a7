import { render } from "preact";

render(<p>circus</p>, document.getElementById("console")!);
