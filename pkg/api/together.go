package api

import (
	"fmt"
	"runtime/debug"

	"golang.org/x/sync/errgroup"
)

// atOnce is how many questions of one call are under way at once.
const atOnce = 8

// together calls do for each of n, a few at once, and returns the first error. A
// panic becomes an error: in a goroutine of its own it would end the process.
func together(n int, do func(i int) error) error {
	var group errgroup.Group

	group.SetLimit(atOnce)

	for i := range n {
		group.Go(func() (err error) {
			defer func() {
				if cause := recover(); cause != nil {
					err = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
				}
			}()

			return do(i)
		})
	}

	return group.Wait() //nolint:wrapcheck // do says what it is
}
