/** The whole of it: the frame, the page of the route, and what lies over it. */
import { Asked, Toasts } from "./parts/dialog";
import { Frame } from "./parts/frame";
import { Keys } from "./parts/keys";
import { Events } from "./pages/events";
import { Add, Edit } from "./pages/form";
import { Login } from "./pages/login";
import { Logs } from "./pages/logs";
import { Overview } from "./pages/overview";
import { Plugin, Plugins } from "./pages/plugins";
import { Sockets } from "./pages/sockets";
import { WatcherPage } from "./pages/watcher";
import { route } from "./store/route";
import { link } from "./wire/connection";

/** `login` at the end of the address is the page that the server sends those to who are not logged in. */
export const atLogin = location.pathname.endsWith("/login");

export function Console() {
  if (atLogin || link.value.state === "refused") return <Login />;
  return (
    <>
      <Frame>
        <Page />
      </Frame>
      <Toasts />
      <Asked />
      <Keys />
    </>
  );
}

function Page() {
  const at = route.value;
  switch (at.page) {
    case "overview":
      return <Overview />;
    case "watcher":
      return <WatcherPage name={at.name} key={at.name} />;
    case "edit":
      return <Edit name={at.name} key={at.name} />;
    case "new":
      return <Add />;
    case "logs":
      return <Logs name={at.name} key={at.name} />;
    case "events":
      return <Events />;
    case "sockets":
      return <Sockets />;
    case "plugins":
      return <Plugins />;
    case "plugin":
      return <Plugin name={at.name} key={at.name} />;
    default:
      return (
        <div class="page">
          <h1>There is no such page</h1>
          <a href="#/">All watchers</a>
        </div>
      );
  }
}
