package digest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/wneessen/go-mail"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/hp-analytics/hp-analytics/internal/money"
	"github.com/hp-analytics/hp-analytics/internal/stats"
)

// Mail is the server that takes e-mails. Without a host, none are sent.
type Mail struct {
	Host     string
	Port     int
	Username string // empty for a server that asks for none
	Password string
	From     string
	TLS      string // starttls, tls or none
	// Dashboard is the address of the dashboard, for a link in the text; empty for none.
	Dashboard string
}

func (m Mail) send(ctx context.Context, d *delivery, r Report) error {
	if m.Host == "" {
		return &failure{text: "This installation sends no e-mail: its operator has to set SMTP_HOST.", final: true}
	}
	letter, err := m.letter(d, r)
	if err != nil {
		return err
	}
	options := []mail.Option{mail.WithPort(m.Port), mail.WithTimeout(sendTimeout)}
	switch m.TLS {
	case "tls":
		options = append(options, mail.WithSSL())
	case "none":
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if m.Username != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(m.Username), mail.WithPassword(m.Password))
	}
	client, err := mail.NewClient(m.Host, options...)
	if err != nil {
		return &failure{text: "The settings of the mail server are not valid. Tell the operator.", final: true, cause: err}
	}
	return refusal(client.DialAndSendWithContext(ctx, letter))
}

// refusal says why a mail was not sent. When the connection breaks after the text was sent and before it was acknowledged, the server may
// have it, so it is not sent again.
func refusal(err error) error {
	if err == nil {
		return nil
	}
	f := &failure{text: "The mail server cannot be reached, or refuses to talk to this one.", cause: err}
	if e, ok := errors.AsType[*mail.SendError](err); ok {
		switch code := e.ErrorCode(); {
		case code > 0:
			f.text, f.final = fmt.Sprintf("The mail server refused the message with %d.", code), !e.IsTemp()
		case e.Reason == mail.ErrSMTPDataClose:
			f.text, f.final = "The connection to the mail server broke before it confirmed the message. It may have arrived, so it is not sent again.", true
		}
	}
	return f
}

// letter writes a digest. Its Message-ID is the same in each attempt.
func (m Mail) letter(d *delivery, r Report) (*mail.Msg, error) {
	letter := mail.NewMsg()
	if err := letter.From(m.From); err != nil {
		return nil, &failure{text: "The sender of e-mails (SMTP_FROM) is not valid. Tell the operator.", final: true, cause: err}
	}
	if err := letter.To(d.recipients...); err != nil {
		return nil, &failure{text: "An address of a recipient is not valid.", final: true, cause: err}
	}
	letter.Subject(fmt.Sprintf("%s: %s, %s", d.title, d.name, r.Period.String()))
	letter.SetMessageIDWithValue(d.id.String() + "@" + m.Host)
	letter.SetGenHeader("Auto-Submitted", "auto-generated")
	letter.SetBodyString(mail.TypeTextPlain, m.text(d, r))
	return letter, nil
}

// String returns the days as a person reads them.
func (p Period) String() string {
	const layout = "2 January 2006"
	if p.First == p.Last {
		return p.First.Date().Format(layout)
	}
	return p.First.Date().Format(layout) + " – " + p.Last.Date().Format(layout)
}

// figures are the counters of the text, in its order.
var figures = []struct {
	name    string
	counter stats.Counter
}{{"Events", stats.Events}, {"Views", stats.Views}, {"Orders", stats.Purchases}, {"Units sold", stats.Units}}

// text writes the numbers with how they changed, and says first when they are not complete.
func (m Mail) text(d *delivery, r Report) string {
	english := message.NewPrinter(language.English)
	var b strings.Builder
	line := func(format string, args ...any) { b.WriteString(english.Sprintf(format, args...) + "\n") }
	row := func(name, value string, now, before int64) { line("%-20s %16s  %s", name, value, change(now, before)) }
	if d.test {
		line("This is a test of a digest. It has the numbers of the last period.\n")
	}
	line("%s: %s", d.title, r.Period.String())
	line("Days of %s, compared with %s.\n", r.Zone, r.Previous.String())
	if !r.Complete {
		line("NOT COMPLETE: %d events are stored and not counted yet. The dashboard shows the numbers with them in a while.\n", r.Pending)
	}
	if r.Failed > 0 {
		line("%d events of the project could not be counted. An admin can repair that.\n", r.Failed)
	}
	about := "≈ "
	if r.Now.Exact {
		about = ""
	}
	row("Users", about+english.Sprintf("%d", r.Now.Users), r.Now.Users, r.Before.Users)
	for _, f := range figures {
		row(f.name, english.Sprintf("%d", r.Now.Counts[f.counter]), r.Now.Counts[f.counter], r.Before.Counts[f.counter])
	}
	for _, a := range r.Now.Money {
		row("Net revenue, "+a.Currency, amount(english, a.NetMinor(), a.Currency), a.NetMinor(), r.Before.net(a.Currency))
	}
	if m.Dashboard != "" {
		line("\n%s/?project=%s&from=%s&to=%s", strings.TrimRight(m.Dashboard, "/"), d.slug, r.Period.First.String(), r.Period.Last.String())
	}
	return b.String()
}

// change writes how a number differs from the one before. There is no percentage of nothing.
func change(now, before int64) string {
	if before <= 0 {
		return ""
	}
	return fmt.Sprintf("%+.1f %%", (float64(now)-float64(before))/float64(before)*100)
}

// amount writes minor units with the decimals of their currency.
func amount(english *message.Printer, minor int64, code string) string {
	digits := 2
	if c, err := money.Parse(code); err == nil {
		digits = c.Digits()
	}
	unit, sign := int64(1), ""
	for range digits {
		unit *= 10
	}
	if minor < 0 {
		minor, sign = -minor, "−"
	}
	if digits == 0 {
		return sign + english.Sprintf("%d", minor)
	}
	return sign + english.Sprintf("%d", minor/unit) + fmt.Sprintf(".%0*d", digits, minor%unit)
}
