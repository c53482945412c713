package digest

import (
	"context"
	"errors"
	"fmt"

	"github.com/wneessen/go-mail"
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

func (m Mail) send(ctx context.Context, d *delivery, subject, text string) error {
	if m.Host == "" {
		return &failure{text: "This installation sends no e-mail: its operator has to set SMTP_HOST.", final: true}
	}
	if len(d.recipients) == 0 {
		return &failure{text: "The accounts of all recipients are disabled.", final: true}
	}
	letter, err := m.letter(d, subject, text)
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
	return refusal(client.DialAndSendWithContext(ctx, letter), d.alert != nil)
}

// refusal says why a mail was not sent. When the connection breaks after the text was sent and before it was acknowledged, the server may
// have it, so it is not sent again, unless a message may come twice.
func refusal(err error, twice bool) error {
	if err == nil {
		return nil
	}
	f := &failure{text: "The mail server cannot be reached, or refuses to talk to this one.", cause: err}
	if e, ok := errors.AsType[*mail.SendError](err); ok {
		switch code := e.ErrorCode(); {
		case code > 0:
			f.text, f.final = fmt.Sprintf("The mail server refused the message with %d.", code), !e.IsTemp()
		case e.Reason == mail.ErrSMTPDataClose && !twice:
			f.text, f.final = "The connection to the mail server broke before it confirmed the message. It may have arrived, so it is not sent again.", true
		}
	}
	return f
}

// letter writes an e-mail. Its Message-ID is the same in each attempt.
func (m Mail) letter(d *delivery, subject, text string) (*mail.Msg, error) {
	letter := mail.NewMsg()
	if err := letter.From(m.From); err != nil {
		return nil, &failure{text: "The sender of e-mails (SMTP_FROM) is not valid. Tell the operator.", final: true, cause: err}
	}
	if err := letter.To(d.recipients...); err != nil {
		return nil, &failure{text: "An address of a recipient is not valid.", final: true, cause: err}
	}
	letter.Subject(subject)
	letter.SetMessageIDWithValue(d.id.String() + "@" + m.Host)
	letter.SetGenHeader("Auto-Submitted", "auto-generated")
	letter.SetBodyString(mail.TypeTextPlain, text)
	return letter, nil
}
