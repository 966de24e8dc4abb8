package api

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// minGzip is the size from which on a body is compressed, in bytes: a smaller
// one fits into one packet as it is.
const minGzip = 1 << 10

// Answer is what a call is answered with.
type Answer struct {
	// Status is 200 when 0.
	Status int
	// Body is written as JSON.
	Body any
	// Location is the path of what was made, with 201.
	Location string

	// tagged answers carry an ETag, so that who has them already is told so.
	tagged bool
	// file, when set, writes the body instead. It is called twice, for the ETag
	// and for the caller, and must write the same both times.
	file func(w io.Writer) error
	// media is the type of a file, name what it is saved as.
	media, name string
}

// OK answers 200 with the body.
func OK(body any) Answer { return Answer{Status: http.StatusOK, Body: body} }

// Created answers 201 with the body of what is now at the path location.
func Created(location string, body any) Answer {
	return Answer{Status: http.StatusCreated, Body: body, Location: location}
}

// tagged is OK for what is read.
func tagged(body any) Answer { return Answer{Status: http.StatusOK, Body: body, tagged: true} }

func (answer Answer) write(w http.ResponseWriter, r *http.Request) error {
	media, fill := answer.media, answer.file

	if fill == nil {
		body, err := json.Marshal(answer.Body)
		if err != nil {
			return fmt.Errorf("write answer as JSON: %w", err)
		}

		body = append(body, '\n')
		media = "application/json"
		fill = func(w io.Writer) error {
			_, err := w.Write(body)

			return err //nolint:wrapcheck // the connection's own error
		}
	}

	header := w.Header()
	// What one caller may read is for no cache that others share.
	header.Set("Cache-Control", "no-store")

	if answer.tagged {
		tag, err := tagOf(fill)
		if err != nil {
			return err
		}

		header.Set("ETag", tag)
		// Kept by the caller, and asked about each time.
		header.Set("Cache-Control", "private, no-cache")

		if has(r.Header.Values("If-None-Match"), tag) {
			w.WriteHeader(http.StatusNotModified)

			return nil
		}
	}

	if answer.Location != "" {
		header.Set("Location", answer.Location)
	}

	if answer.name != "" {
		header.Set("Content-Disposition", `attachment; filename="`+answer.name+`"`)
	}

	header.Set("Content-Type", media)

	return send(w, r, max(answer.Status, http.StatusOK), fill, answer.file != nil)
}

// send writes the body, compressed if the caller can read that.
func send(w http.ResponseWriter, r *http.Request, status int, fill func(io.Writer) error, large bool) error {
	if !large {
		// Small enough to be had at once; its size is known then.
		var body bytes.Buffer
		if err := fill(&body); err != nil {
			return err
		}

		large = body.Len() >= minGzip
	}

	if !large || !acceptsGzip(r.Header.Values("Accept-Encoding")) {
		w.WriteHeader(status)

		return fill(w)
	}

	w.Header().Set("Content-Encoding", "gzip")
	w.WriteHeader(status)

	packed, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return fmt.Errorf("compress answer: %w", err)
	}

	if err := fill(packed); err != nil {
		return err
	}

	return packed.Close() //nolint:wrapcheck // the connection's own error
}

// tagOf returns the entity tag of a body. It is made of the bytes, so that it
// is the same on every replica, and weak, because the compressed body has it,
// too (RFC 9110, section 8.8.1).
func tagOf(fill func(io.Writer) error) (string, error) {
	sum := sha256.New()
	if err := fill(sum); err != nil {
		return "", err
	}

	return `W/"` + base64.RawURLEncoding.EncodeToString(sum.Sum(nil)[:16]) + `"`, nil
}

// has tells whether the values of If-None-Match have the tag. The comparison is
// the weak one (RFC 9110, section 13.1.2).
func has(values []string, tag string) bool {
	for _, value := range values {
		for one := range strings.SplitSeq(value, ",") {
			one = strings.TrimSpace(one)
			if one == "*" || strings.TrimPrefix(one, "W/") == strings.TrimPrefix(tag, "W/") {
				return true
			}
		}
	}

	return false
}

// acceptsGzip reads Accept-Encoding as far as gzip is concerned (RFC 9110,
// section 12.5.3).
func acceptsGzip(values []string) bool {
	accepted := false

	for _, value := range values {
		for one := range strings.SplitSeq(strings.ToLower(value), ",") {
			coding, parameters, _ := strings.Cut(strings.TrimSpace(one), ";")
			refused := strings.HasPrefix(strings.ReplaceAll(parameters, " ", ""), "q=0") && strings.Trim(parameters, " q=0.") == ""

			switch strings.TrimSpace(coding) {
			case "gzip", "x-gzip":
				return !refused
			case "*":
				accepted = !refused
			default:
			}
		}
	}

	return accepted
}
