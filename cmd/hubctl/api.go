package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
)

// maxAnswer bounds what is read of an answer, in bytes. A page of many nodes has 512 KiB of each.
const maxAnswer = 64 << 20

// api is the JSON API of a dashboard.
type api struct {
	base   *url.URL // ends with a slash
	header http.Header
	client *http.Client
}

// newAPI returns the API of the dashboard at an address.
func newAPI(address string, header http.Header) (*api, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("-url: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("-url %q: want the address of a dashboard, such as http://127.0.0.1:8080/dash/", address)
	}
	if !strings.HasSuffix(u.Path, "/") {
		u.Path += "/"
	}
	u.RawQuery, u.Fragment = "", ""
	return &api{base: u, header: header, client: &http.Client{CheckRedirect: noRedirect}}, nil
}

// noRedirect keeps the token from other hosts, and a login page from being taken for an answer.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// refused is an answer that says no.
type refused struct {
	status     int
	code       string
	message    string
	retryAfter string
}

func (e *refused) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s", e.status, http.StatusText(e.status))
	if e.message != "" {
		fmt.Fprintf(&b, ": %s", printable(e.message))
	}
	switch {
	case e.status == http.StatusUnauthorized || e.status == http.StatusForbidden:
		b.WriteString(" (give a token with -token or HUBCTL_TOKEN, or a header with -H)")
	case e.status >= 300 && e.status < 400:
		b.WriteString(" (a redirect: is there a login before the dashboard? Give its cookie with -H)")
	case e.status == http.StatusNotFound:
		b.WriteString(" (is the dashboard mounted at this address?)")
	case e.retryAfter != "":
		fmt.Fprintf(&b, " (try again in %s s)", printable(e.retryAfter))
	}
	return b.String()
}

// get asks for a path and decodes the answer.
func (a *api) get(ctx context.Context, path string, query url.Values, into any) error {
	resp, err := a.do(ctx, http.MethodGet, path, query, nil) //nolint:bodyclose // decode does
	if err != nil {
		return err
	}
	return decode(resp, into)
}

// post does an action and decodes the answer.
func (a *api) post(ctx context.Context, path string, action, into any) error {
	body, err := json.Marshal(action)
	if err != nil {
		return err
	}
	resp, err := a.do(ctx, http.MethodPost, path, nil, body) //nolint:bodyclose // decode does
	if err != nil {
		return err
	}
	return decode(resp, into)
}

// do returns an answer that says yes.
func (a *api) do(ctx context.Context, method, path string, query url.Values, body []byte) (*http.Response, error) {
	u := a.base.JoinPath("api", path)
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, a.header)
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Hubkit-Dash", "1")
	}
	resp, err := a.client.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // the address is known, and may have a password in it
		}
		return nil, fmt.Errorf("%s: %w", a.base.Redacted(), err)
	}
	if resp.StatusCode/100 != 2 {
		defer closeBody(resp)
		e := &refused{status: resp.StatusCode, retryAfter: resp.Header.Get("Retry-After")}
		var answer struct {
			Error struct{ Code, Message string }
		}
		if p, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10)); err == nil && json.Unmarshal(p, &answer) == nil {
			e.code, e.message = answer.Error.Code, answer.Error.Message
		}
		return nil, e
	}
	return resp, nil
}

func decode(resp *http.Response, into any) error {
	defer closeBody(resp)
	p, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("the answer was cut short: %w", err)
	case len(p) > maxAnswer:
		return fmt.Errorf("the answer has more than %d MiB", maxAnswer>>20)
	case into == nil || len(bytes.TrimSpace(p)) == 0:
		return nil
	}
	if err := json.Unmarshal(p, into); err != nil {
		return fmt.Errorf("the answer is no JSON of a dashboard: %w", err)
	}
	return nil
}

func closeBody(resp *http.Response) { _ = resp.Body.Close() }
