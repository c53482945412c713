package host_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// pressesButton clicks on a button by its whole text.
func (b *tab) pressesButton(text string) {
	b.t.Helper()
	b.do(chromedp.Click(fmt.Sprintf(`//button[normalize-space(.)=%q]`, text), chromedp.BySearch))
}

// TestDashboardAnnotations writes annotations from the chart and by keyboard, reads them at their marks and in the list, changes one and deletes
// one. They are on the charts of products, too.
func TestDashboardAnnotations(t *testing.T) {
	t.Parallel()
	s, id := busyShop(t)
	today := time.Now().UTC().Format(time.DateOnly)
	b := newTab(t, s.url)
	b.open("/?period=7+days")
	b.signIn("admin@example.com")
	b.do(chromedp.WaitVisible(`.charted .u-over`))
	b.sees("Annotations (0)")

	// Only the key that goes down: the browser's driver sends the character behind it, which can reach the field of the dialog.
	b.do(chromedp.Evaluate(`document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "n", bubbles: true, cancelable: true }))`, nil))
	b.do(chromedp.WaitVisible(`dialog input[name=text]`))
	if got := b.value(`document.querySelector("dialog input[name=text]").value + document.querySelector("dialog input[name=day]").value`); got != today {
		t.Errorf("the form begins with %q, want the last day", got)
	}
	b.do(chromedp.SendKeys(`dialog input[name=text]`, "<i>Campaign</i>"))
	b.pressesButton("Save")
	b.until(`document.querySelector(".mark")?.getAttribute("aria-label").endsWith(": <i>Campaign</i>")`)
	b.until(`document.querySelector("dialog") === null`)
	b.sees("Annotations (1)")

	// The text is shown at the mark that has the focus, and a mark leads to the form.
	b.until(`getComputedStyle(document.querySelector(".mark .tip")).display === "none"`)
	b.do(chromedp.Focus(`.charted .mark`))
	b.do(chromedp.KeyEvent(kb.Shift)) // a focus is visible after a key
	b.until(`getComputedStyle(document.querySelector(".mark .tip")).display === "block"`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.types(`dialog input[name=text]`, "Spring campaign")
	b.pressesButton("Save")
	b.until(`document.querySelector(".mark")?.getAttribute("aria-label").endsWith(": Spring campaign")`)

	// A click on the chart annotates the day there: the third of seven.
	b.do(chromedp.Evaluate(`(() => {
		const over = document.querySelector(".u-over"), box = over.getBoundingClientRect();
		const at = {bubbles: true, cancelable: true, clientX: box.left + box.width * 2 / 6, clientY: box.top + box.height / 2};
		for (const name of ["mousemove", "mousedown", "mouseup", "click"]) over.dispatchEvent(new MouseEvent(name, at));
	})()`, nil))
	third := time.Now().UTC().AddDate(0, 0, -4).Format(time.DateOnly)
	b.until(fmt.Sprintf(`document.querySelector("dialog input[name=day]")?.value === %q`, third))
	b.do(chromedp.SendKeys(`dialog input[name=text]`, "Sale"))
	b.pressesButton("Save")
	b.until(`document.querySelectorAll(".mark").length === 2`)
	answer := fmt.Sprint(s.send(http.MethodGet, "/annotations", s.admin, "")["items"])
	for _, part := range []string{"Sale", "Spring campaign", third, today} {
		if !strings.Contains(answer, part) {
			t.Errorf("stored: %s, without %s", answer, part)
		}
	}

	b.follow("Annotations (2)")
	b.sees("Sale")
	b.presses(`button[aria-label="Edit Sale"]`)
	b.pressesButton("Delete")
	b.sees("disappears from the charts of all members")
	b.presses(`dialog button.primary`)
	b.until(`document.querySelectorAll(".mark").length === 1`)
	b.open("/app/products/" + id + "?period=7+days")
	b.until(`document.querySelector(".mark")?.getAttribute("aria-label").endsWith(": Spring campaign")`)
	b.clean()
}

// TestDashboardAnnotationsOfViewers checks that viewers read annotations and are offered no way to change them.
func TestDashboardAnnotationsOfViewers(t *testing.T) {
	t.Parallel()
	s, _ := busyShop(t)
	today := time.Now().UTC().Format(time.DateOnly)
	s.send(http.MethodPost, "/annotations", s.admin, fmt.Sprintf(`{"day":%q,"text":"Campaign"}`, today))
	s.send(http.MethodPost, "/annotations", s.admin, fmt.Sprintf(`{"day":%q,"text":"Release"}`, today))
	b := newTab(t, s.url)
	b.open("/?period=7+days")
	b.signIn("viewer@example.com")
	b.do(chromedp.WaitVisible(`.charted .mark`))
	b.do(chromedp.KeyEvent("n"), chromedp.Click(`.charted .mark`))
	b.sees("Campaign")
	b.sees("Release")
	if got := b.value(`[...document.querySelectorAll("dialog button")].map(b => b.textContent).join()`); got != "✕" {
		t.Errorf("a viewer is offered %s", got)
	}
	if got := b.value(`document.querySelector(".mark").firstChild.textContent`); got != "2" {
		t.Errorf("two annotations of a day are marked by %q", got)
	}
	b.clean()
}
