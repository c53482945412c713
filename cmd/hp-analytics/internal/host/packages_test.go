package host_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
)

// installPackages packs the packages of this repository, installs the archives as a user would, and returns the folder.
func installPackages(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	npm := func(arguments ...string) {
		t.Helper()
		command := exec.CommandContext(t.Context(), "npm", arguments...)
		command.Dir = dir
		if output, err := command.CombinedOutput(); err != nil {
			t.Fatalf("npm %q: %v (make test-deps installs npm)\n%s", arguments, err, output)
		}
	}
	for _, name := range []string{"browser", "node"} {
		source, err := filepath.Abs("../../../../web/tracker/" + name)
		if err != nil {
			t.Fatal(err)
		}
		npm("pack", "--silent", source)
	}
	if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"private":true,"type":"module"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	archives, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil || len(archives) != 2 {
		t.Fatalf("the archives are %q (%v)", archives, err)
	}
	npm(append([]string{"install", "--offline", "--ignore-scripts", "--no-audit", "--no-fund"}, archives...)...)
	return dir
}

// nodeProgram sends events in many requests, orders and what is refused, and ends without waiting for any of it.
const nodeProgram = `
import { Analytics } from "@hp-analytics/node";
import { init } from "@hp-analytics/browser";

init({ key: "hpw_x", api: process.env.API_URL }).track("never"); // a server that renders pages
const analytics = new Analytics({
  key: process.env.API_KEY, api: process.env.API_URL, batch: 10, interval: 50,
  onError: (why, lost) => console.log("lost", JSON.stringify(lost.map((item) => item.type)), why),
});
for (let i = 0; i < 45; i++) analytics.track({ type: "Song Played", user_id: "ada", properties: { i } });
analytics.track({ type: "view", sku: "TEA 1/2", anonymous_id: "visitor" });
analytics.identify({ user_id: "ada", anonymous_id: "visitor" }, { plan: "pro" });
analytics.track({ type: "view", sku: "no such tea", user_id: "ada" });
analytics.order({ id: "web-1", user_id: "ada", currency: "EUR", lines: [{ sku: "TEA 1/2", quantity: 2, amount_minor: 900 }] });
analytics.order({ id: "web-2", user_id: "ada", currency: "EUR", lines: [{ sku: "TEA 1/2", quantity: 1, amount_minor: 450 }] });
`

// The package for Node sends everything once when answers are lost and the program ends, and tells what is refused.
func TestNodePackage(t *testing.T) {
	t.Parallel()
	s := newShop(startPlatform(t))
	s.create("TEA 1/2")
	dir := installPackages(t)
	gateway, lost := forgetful(t, s.url)
	if err := os.WriteFile(filepath.Join(dir, "shop.mjs"), []byte(nodeProgram), 0o600); err != nil {
		t.Fatal(err)
	}
	node := exec.CommandContext(t.Context(), "node", "shop.mjs")
	node.Dir = dir
	node.Env = append(os.Environ(), "API_URL="+gateway+"/", "API_KEY="+strings.TrimPrefix(s.key, "Bearer "))
	output, err := node.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	if told := string(output); strings.Count(told, "lost") != 1 || !strings.HasPrefix(told, `lost ["view"] /sku `) {
		t.Errorf("what is lost: %s", told)
	}
	if lost.Load() < 2 {
		t.Errorf("%d answers were lost", lost.Load())
	}
	counts := s.counts()
	for name, want := range map[string]float64{"Song Played": 45, "view": 1, "identify": 1, "Last": 1} {
		if counts[name] != want {
			t.Errorf("there are %v events %s, want %v", counts[name], name, want)
		}
	}
	if len(counts) != 4 {
		t.Errorf("there are other events: %v", counts)
	}
	totals := s.send(http.MethodGet, "/analytics/overview", s.admin, "")["totals"].(map[string]any)
	revenue := totals["revenue"].([]any)[0].(map[string]any)
	if totals["purchases"] != 2.0 || revenue["gross_minor"] != 1350.0 || revenue["units"] != 3.0 {
		t.Errorf("the totals are %v", totals)
	}
}

// busyProgram has a platform that is too busy for some items, and then for all.
const busyProgram = `
import { Analytics } from "@hp-analytics/node";

const busy = (index) => ({ index, pointer: "", code: "overloaded", detail: "Try again shortly." });
const refused = { index: 2, pointer: "/lines/0/sku", code: "unknown_sku", detail: "There is none." };
const answers = [
  Response.json({ errors: [busy(1), refused] }, { status: 202 }),
  Response.json({ errors: [busy(0)] }, { status: 422 }),
  Response.json({ errors: [] }, { status: 202 }),
  new Response("", { status: 429, headers: { "Retry-After": "600" } }),
];
let calls = 0;
globalThis.fetch = async (_, { body }) => {
  calls++;
  console.log("sent", JSON.parse(body).orders.map((order) => order.id).join());
  return answers.shift() ?? Response.json({ errors: [] }, { status: 202 });
};
const start = () => new Analytics({
  key: "hpa_x", api: "http://platform.example", batch: 3, interval: 0, onError: (why, lost) => console.log("lost", lost.map((order) => order.id).join(), why),
});
const give = (analytics, ...ids) => ids.forEach((id) => analytics.order({ id, user_id: "ada", currency: "EUR", lines: [] }));

let analytics = start();
give(analytics, "a", "b", "c");
await analytics.close(60_000);

analytics = start();
give(analytics, "d");
while (calls < 4) await new Promise((resolve) => setTimeout(resolve));
await new Promise((resolve) => setTimeout(resolve)); // it has the answer
give(analytics, "e", "f");
await analytics.close(10);
`

// The package for Node sends items again for which the platform was too busy, and nothing before the time that the platform asks for.
func TestNodePackageWhenThePlatformIsBusy(t *testing.T) {
	t.Parallel()
	dir := installPackages(t)
	if err := os.WriteFile(filepath.Join(dir, "busy.mjs"), []byte(busyProgram), 0o600); err != nil {
		t.Fatal(err)
	}
	node := exec.CommandContext(t.Context(), "node", "busy.mjs")
	node.Dir = dir
	output, err := node.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	want := "sent a,b,c\nlost c /lines/0/sku There is none.\nsent b\nsent b\nsent d\nlost d,e,f the platform did not answer in time\n"
	if diff := cmp.Diff(want, string(output)); diff != "" {
		t.Errorf("what happened (-want +got):\n%s", diff)
	}
}

// browserPage uses the package as a page without a bundler does.
const browserPage = `<!doctype html>
<meta charset="utf-8">
<title>Package</title>
<script type="module">
  import { init } from "./node_modules/@hp-analytics/browser/index.js";
  const query = new URLSearchParams(location.search);
  window.hp = init({ key: query.get("key"), api: query.get("api"), ids: "none" });
  hp.addToCart("TEA 1/2", { color: "green" });
</script>
`

// The package for browsers counts what the script counts, and stores nothing on the device if it is told so.
func TestBrowserPackage(t *testing.T) {
	t.Parallel()
	s := newShop(startPlatform(t))
	s.create("TEA 1/2")
	dir := installPackages(t)
	if err := os.WriteFile(filepath.Join(dir, "shop.html"), []byte(browserPage), 0o600); err != nil {
		t.Fatal(err)
	}
	origin := pagesOf(t, dir)
	b := newTab(t, origin)
	b.asPerson("")
	b.do(chromedp.Navigate(origin + "/shop.html?key=" + s.publicKey(origin) + "&api=" + s.url))
	b.until("window.hp")
	b.value(`(hp.track("ESM"), 1)`)
	for _, name := range []string{"page", "add_to_cart", "ESM"} {
		s.reports(b, name, 1)
	}
	if got := b.value("Object.keys(localStorage).length"); got != "0" {
		t.Errorf("%s items are stored", got)
	}
	b.clean("/favicon.ico")
}
