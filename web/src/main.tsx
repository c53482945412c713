import "uplot/dist/uPlot.min.css";
import "./main.css";
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { AccountPage } from "./pages/account";
import { AlertsPage } from "./pages/alerts";
import { AuditPage } from "./pages/audit";
import { DebugPage } from "./pages/debug";
import { DigestsPage } from "./pages/digests";
import { EventsPage } from "./pages/events";
import { ImportPage } from "./pages/import";
import { JoinPage } from "./pages/join";
import { KeysPage } from "./pages/keys";
import { LivePage } from "./pages/live";
import { MembersPage } from "./pages/members";
import { OverviewPage } from "./pages/overview";
import { ProductPage } from "./pages/product";
import { ProductsPage } from "./pages/products";
import { SettingsPage } from "./pages/settings";
import { SharedPage } from "./pages/shared";
import { SignIn } from "./pages/signin";
import { SystemPage } from "./pages/system";
import { UserPage } from "./pages/user";
import { UsersPage } from "./pages/users";
import { Shell } from "./parts/shell";
import { follow, hash, link, page } from "./route";
import { me, resume } from "./session";

function App() {
  const [unreachable, setUnreachable] = useState(false);
  const [round, setRound] = useState(0);
  useEffect(() => {
    setUnreachable(false);
    resume().catch(() => setUnreachable(true));
  }, [round]);
  if (unreachable) {
    return (
      <main class="signin">
        <p class="note" role="alert">
          The server does not answer.
          <button type="button" onClick={() => setRound(round + 1)}>Try again</button>
        </p>
      </main>
    );
  }
  if (me.value === undefined) return null;
  if (page.value[0] === "join") return <JoinPage invitation={hash.value} />;
  if (me.value === null) return <SignIn />;
  return <Shell><Page /></Shell>;
}

function Page() {
  const [name, id, more] = page.value;
  useEffect(() => {
    document.title = `${name === undefined ? "Overview" : name[0]!.toUpperCase() + name.slice(1)} · HP Analytics`;
  }, [name]);
  if (name === undefined) return <OverviewPage />;
  if (name === "products" && id === undefined) return <ProductsPage />;
  if (name === "products" && id === "import" && more === undefined) return <ImportPage />;
  if (name === "products" && id !== undefined && more === undefined) return <ProductPage key={id} id={id} />;
  if (name === "events" && id === undefined) return <EventsPage />;
  if (name === "debug" && id === undefined) return <DebugPage />;
  if (name === "live" && id === undefined) return <LivePage />;
  if (name === "users" && id === undefined) return <UsersPage />;
  if (name === "users" && id !== undefined && more === undefined) return <UserPage key={id} id={id} />;
  if (name === "alerts" && id === undefined) return <AlertsPage />;
  if (name === "digests" && id === undefined) return <DigestsPage />;
  if (name === "keys" && id === undefined) return <KeysPage />;
  if (name === "members" && id === undefined) return <MembersPage />;
  if (name === "settings" && id === undefined) return <SettingsPage />;
  if (name === "audit" && id === undefined) return <AuditPage />;
  if (name === "system" && id === undefined) return <SystemPage />;
  if (name === "account" && id === undefined) return <AccountPage />;
  return <p>There is no such page. <a href={link([])}>Overview</a></p>;
}

addEventListener("click", follow);
// A shared report needs no session, and a page that shows one has none.
render(page.value[0] === "shared" ? <SharedPage /> : <App />, document.getElementById("app")!);
