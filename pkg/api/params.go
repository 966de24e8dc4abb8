package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/freehold-net/freehold/pkg/api/problem"
	"github.com/freehold-net/freehold/pkg/api/store"
)

const (
	defaultLimit = 100
	maxLimit     = 1000
)

// query is the parameters of a call, checked against those that the route has.
type query struct {
	path   string
	values url.Values
}

// query reads the parameters. One that the route does not have is 400: a filter
// that is misspelt must not show everything.
func (c *Call) query(known ...string) (query, error) {
	values, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return query{}, problem.Parameter("query", c.Request.URL.RawQuery, "cannot be read: "+err.Error(), "escape it as RFC 3986 says")
	}

	for name, given := range values {
		if !slices.Contains(known, name) {
			return query{}, problem.Parameter(name, given[0], "is no parameter of "+c.Request.URL.Path, "write one of "+strings.Join(known, ", "))
		}

		if len(given) > 1 && name != "state" {
			return query{}, problem.Parameter(name, given[1], "is there more than once", "write it once")
		}
	}

	return query{path: c.Request.URL.Path, values: values}, nil
}

func (q query) get(name string) string { return q.values.Get(name) }

// one reads a parameter that is one of the known words; the first is the
// default.
func (q query) one(name string, known ...string) (string, error) {
	text := q.get(name)
	if text == "" {
		return known[0], nil
	}

	if !slices.Contains(known, text) {
		return "", problem.Parameter(name, text, "is not known", "write one of "+strings.Join(slices.DeleteFunc(slices.Clone(known), isEmpty), ", "))
	}

	return text, nil
}

func isEmpty(text string) bool { return text == "" }

// states reads the parameter state, which may be there many times.
func states[T ~string](q query, known ...T) ([]T, error) {
	var wanted []T

	for _, text := range q.values["state"] {
		if !slices.Contains(known, T(text)) {
			return nil, problem.Parameter("state", text, "is not known", fmt.Sprintf("write one of %v", known))
		}

		wanted = append(wanted, T(text))
	}

	return wanted, nil
}

// page reads limit and continue.
func (q query) page(sort string) (store.Page, error) {
	want := store.Page{Sort: sort, Limit: defaultLimit}

	if text := q.get("limit"); text != "" {
		limit, err := strconv.Atoi(text)
		if err != nil || limit < 1 || limit > maxLimit {
			return want, problem.Parameter("limit", text, "is no number of items of a page", fmt.Sprintf("write 1 to %d", maxLimit))
		}

		want.Limit = limit
	}

	if text := q.get("continue"); text != "" {
		var token token

		raw, err := base64.RawURLEncoding.DecodeString(text)
		if err == nil {
			err = json.Unmarshal(raw, &token)
		}

		if err != nil {
			return want, problem.Parameter("continue", text, "was not made here", "write what the page before gave, or leave it out")
		}

		if token.List != q.list() {
			return want, problem.Gone()
		}

		want.After = &token.After
	}

	return want, nil
}

// token is what a page ends with. It has nothing that the caller does not know:
// the list that it is of, and where the next page begins.
type token struct {
	List  string         `json:"l"`
	After store.Position `json:"p"`
}

// next is the value of continue that goes on behind the position; "" for nil.
func (q query) next(after *store.Position) string {
	if after == nil {
		return ""
	}

	raw, err := json.Marshal(token{List: q.list(), After: *after})
	if err != nil {
		return "" // strings and an address can be written
	}

	return base64.RawURLEncoding.EncodeToString(raw)
}

// list tells this list from others: the path and every parameter that filters or
// sorts.
func (q query) list() string {
	values := url.Values{}

	for name, given := range q.values {
		switch name {
		case "limit", "continue", "observed":
		default:
			values[name] = slices.Sorted(slices.Values(given))
		}
	}

	sum := sha256.Sum256([]byte(q.path + "?" + values.Encode()))

	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// asked turns an error of the store into a problem.
func asked(err error) error {
	var (
		field *store.QueryError
		plan  *store.PlanError
	)

	switch {
	case errors.As(err, &field):
		return problem.Parameter(field.Field, field.Value, field.Detail, field.Remedy)
	case errors.As(err, &plan):
		return problem.Conflict(plan.Error()+"; correct it first", problem.Fields(plan.Problems)...)
	default:
		return err
	}
}
