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

// TestHeatTable checks that the table has the events of each weekday and hour, and no hour that is not over.
func TestHeatTable(t *testing.T) {
	t.Parallel()
	s := newShop(startPlatform(t))
	yesterday := time.Now().UTC().AddDate(0, 0, -1)
	at := time.Date(yesterday.Year(), yesterday.Month(), yesterday.Day(), 10, 15, 0, 0, time.UTC)
	for n := range 7 {
		s.send(http.MethodPost, "/events?wait=aggregated", s.key, fmt.Sprintf(`{"type":"tea","user_id":"u","ts":%q}`, at.Add(time.Duration(n)*time.Minute).Format(time.RFC3339)))
	}
	s.send(http.MethodPost, "/events?wait=aggregated", s.key, `{"type":"tea","user_id":"u"}`) // of an hour that is not over
	b := newTab(t, s.url)
	b.open("/?period=7+days")
	b.signIn("admin@example.com")
	row := (int(at.Weekday()) + 6) % 7
	cell := func(row, hour int) string {
		return fmt.Sprintf(`document.querySelectorAll(".heat tbody tr")[%d]?.querySelectorAll("td")[%d].textContent`, row, hour)
	}
	b.until(cell(row, 10) + ` === "7"`)
	if got := b.value(`[...document.querySelectorAll(".heat tbody td")].filter(td => td.textContent !== "0" && td.textContent !== "no such hour").length`); got != "1" {
		t.Errorf("%s cells have events", got)
	}
	if got := b.value(fmt.Sprintf(`document.querySelectorAll(".heat tbody tr")[%d].querySelectorAll("td")[10].className`, row)); got != "shade5" {
		t.Errorf("the busiest hour is drawn as %s", got)
	}
	b.sees("7 in an average hour")
	b.clean()
}

// TestKeyboard chooses periods, searches and asks for help by keys, and types the same letters into a field.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	s, _ := busyShop(t)
	b := newTab(t, s.url)
	b.open("/")
	b.signIn("admin@example.com")
	b.sees("Signed <b>Up</b>")
	key := func(key, then string) {
		t.Helper()
		b.do(chromedp.KeyEvent(key))
		b.until(then)
	}
	key("d", `location.search.includes("period=today")`)
	key("w", `location.search.includes("period=7+days")`)
	key("m", `location.search.includes("period=30+days")`)
	first := b.value(`document.querySelector("input[aria-label='First day']").value`)
	key(kb.ArrowLeft, `location.search.includes("from=")`)
	b.until(fmt.Sprintf(`document.querySelector("input[aria-label='Last day']").value < %q`, first))
	key(kb.ArrowRight, fmt.Sprintf(`location.search.includes("from=%s")`, first))

	b.do(chromedp.Focus(`.account button:last-of-type`))
	key("?", `document.querySelector("dialog")?.open === true`)
	b.sees("The period before and after")
	for range 4 { // the focus stays in the dialog
		b.do(chromedp.KeyEvent(kb.Tab))
		if got := b.value(`document.activeElement === document.body || document.querySelector("dialog").contains(document.activeElement)`); got != "true" {
			t.Error("the focus has left the dialog")
		}
	}
	key(kb.Escape, `document.querySelector("dialog") === null`)
	if got := b.value(`document.activeElement.textContent`); got != "Keyboard" {
		t.Errorf("after the dialog, the focus is on %q", got)
	}

	key("/", `document.activeElement?.type === "search"`)
	b.do(chromedp.SendKeys(`input[type=search]`, "d/w"))
	b.until(`location.search.includes("q=d%2Fw")`)
	if got := b.value("location.search"); strings.Contains(got, "period") {
		t.Errorf("letters in a field change the period: %s", got)
	}
	b.clean()
}

// TestTopProducts ranks products by several numbers and within a category, and finds the same in the address after a reload.
func TestTopProducts(t *testing.T) {
	t.Parallel()
	s, id := busyShop(t)
	s.patch("/products/"+id, `{"category":"tea & more"}`)
	s.create("CUP")
	s.send(http.MethodPost, "/events?wait=aggregated", s.key, `{"type":"view","sku":"CUP","user_id":"u"}`)
	b := newTab(t, s.url)
	b.open("/")
	b.signIn("admin@example.com")
	const card = `document.querySelector("section[aria-labelledby=top]")`
	rows := card + `.querySelector("table")?.textContent`
	b.until(rows + `.includes("Views") && ` + card + `.querySelectorAll("tbody a").length === 2`)
	rank := func(by string) {
		b.do(chromedp.Click(fmt.Sprintf(`//section[@aria-labelledby="top"]//button[.=%q]`, by), chromedp.BySearch))
	}
	rank("revenue")
	b.until(rows + `.includes("Net revenue, EUR") && ` + rows + `.includes("€200.00")`)
	if got := b.value(card + `.querySelectorAll("tbody a").length`); got != "1" {
		t.Errorf("%s products earned something", got)
	}
	rank("views")
	b.do(chromedp.SendKeys(`input[aria-label="Only this category"]`, "tea & more"+kb.Enter))
	b.until(card + `.querySelectorAll("tbody a").length === 1`)
	b.do(chromedp.Reload())
	b.sees("category: tea & more ✕")
	b.until(card + `.querySelectorAll("tbody a").length === 1`)
	b.do(chromedp.Click(`button[aria-label="Remove the filter: category tea & more"]`))
	b.until(card + `.querySelectorAll("tbody a").length === 2`)
	b.clean()
}
