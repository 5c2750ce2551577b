package client

import (
	"net/http"
	"net/url"
	"strings"
)

// site is the server as the jar knows it: by http and https.
func (c *config) site() *url.URL {
	u, err := url.Parse("http" + strings.TrimPrefix(c.url, "ws"))
	if err != nil {
		panic("client: " + err.Error()) // newConfig has parsed it
	}
	return u
}

// addCookies adds the jar's cookies to a handshake request's header. The dialer's own jar would be overruled by a
// Cookie header of WithHeader.
func (c *config) addCookies(header http.Header) {
	r := http.Request{Header: header}
	for _, cookie := range c.jar.Cookies(c.site()) {
		r.AddCookie(cookie)
	}
}

// keepCookies keeps those of an answer, also of one that refuses the handshake.
func (c *config) keepCookies(resp *http.Response) {
	if cookies := resp.Cookies(); len(cookies) > 0 {
		c.jar.SetCookies(c.site(), cookies)
	}
}
