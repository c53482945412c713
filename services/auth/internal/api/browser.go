package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

const (
	// sessionHeader asks for a session whose refresh token scripts cannot read.
	sessionHeader = "Session"
	// sessionCookie has the refresh token of a browser.
	sessionCookie = "hpa_session"
)

var (
	errCrossOrigin  = errs.New(errs.Forbidden, "cross_origin", "The request comes from a page of another origin, which may not use the session of this one.")
	errNoCookie     = errs.New(errs.Unauthenticated, "invalid_refresh_token", "There is no session: log in.")
	errTokenMissing = errs.New(errs.Invalid, "validation_failed", "The request does not fit; errors says where and why.", errs.Field{
		Pointer: "/refresh_token", Code: "required", Detail: "refresh_token is required, unless the header Session says that a cookie has it.",
	})
)

// browserSessions keeps the refresh tokens of browsers in a cookie, for requests that ask for it. A script that was smuggled into a
// page can then use the session only while the page is open, and cannot carry it away. The cookie is sent by browsers without being
// asked, so requests of other origins are refused by what browsers say about themselves (Sec-Fetch-Site, Origin), and the cookie
// counts only together with a header that no form can send.
func (s *Server) browserSessions(next StrictHandlerFunc, _ string) StrictHandlerFunc {
	return func(ctx context.Context, w http.ResponseWriter, r *http.Request, request any) (any, error) {
		if r.Header.Get(sessionHeader) == "" {
			if given, ok := refreshTokenOf(request); ok && *given == "" {
				return nil, errTokenMissing
			}
			return next(ctx, w, r, request)
		}
		if err := s.sameOrigin.Check(r); err != nil {
			return nil, errCrossOrigin.Because(err)
		}
		if given, ok := refreshTokenOf(request); ok && *given == "" {
			cookies := r.CookiesNamed(sessionCookie)
			if len(cookies) == 0 {
				if _, leaving := request.(LogoutRequestObject); leaving {
					return Logout204Response{}, nil // there is nothing to end
				}
				return nil, errNoCookie
			}
			*given = cookies[0].Value
		}
		answer, err := next(ctx, w, r, request)
		if err != nil {
			if _, ok := request.(RefreshRequestObject); ok && errs.Is(err, errs.Unauthenticated) {
				s.setCookie(w, r, "")
			}
			return nil, err
		}
		return s.moveToCookie(w, r, answer), nil
	}
}

// refreshTokenOf returns the refresh token of a request that has one.
func refreshTokenOf(request any) (*string, bool) {
	switch request := request.(type) {
	case RefreshRequestObject:
		return &request.Body.RefreshToken, true
	case LogoutRequestObject:
		return &request.Body.RefreshToken, true
	default:
		return nil, false
	}
}

// moveToCookie moves the refresh token of an answer into the cookie.
func (s *Server) moveToCookie(w http.ResponseWriter, r *http.Request, answer any) any {
	move := func(pair *TokenPair) {
		s.setCookie(w, r, pair.RefreshToken)
		pair.RefreshToken = ""
	}
	switch answer := answer.(type) {
	case Login200JSONResponse:
		move(&answer.Body)
		return answer
	case Refresh200JSONResponse:
		move(&answer.Body)
		return answer
	case ChangePassword200JSONResponse:
		move(&answer.Body.Tokens)
		return answer
	case Logout204Response:
		s.setCookie(w, r, "")
		return answer
	default:
		return answer
	}
}

// setCookie sets the cookie, or ends it.
func (s *Server) setCookie(w http.ResponseWriter, r *http.Request, refresh string) {
	age := int(s.RefreshTTL / time.Second)
	if refresh == "" {
		age = -1
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure where the browser can send it, see below
		// Without a path the browser takes the folder of the request, /auth, under whatever prefix a proxy publishes it.
		Name: sessionCookie, Value: refresh, MaxAge: age, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		// A gateway that ends TLS says so. Over plain HTTP, as on a laptop, a browser would not send a secure cookie.
		Secure: r.TLS != nil || overHTTPS(r.Header.Get("X-Forwarded-Proto")),
	})
}

// overHTTPS reports whether the first of a chain of proxies was reached by HTTPS.
func overHTTPS(forwarded string) bool {
	first, _, _ := strings.Cut(forwarded, ",")
	return strings.EqualFold(strings.TrimSpace(first), "https")
}
