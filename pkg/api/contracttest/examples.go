package contracttest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Example is a piece of shell of a page and what the page says that it prints.
type Example struct {
	// Line is where it begins in the page.
	Line int
	// Script is for bash.
	Script string
	// Output is what it prints, without the last line break.
	Output string
}

// Examples returns the examples of a Markdown page: each block of sh, with the
// block of text behind it.
func Examples(page string) ([]Example, error) {
	var (
		examples []Example
		kind     string
		block    []string
		began    int
	)

	for i, line := range strings.Split(page, "\n") {
		fence, isFence := strings.CutPrefix(line, "```")

		switch {
		case isFence && kind == "":
			kind, block, began = fence, nil, i+1
		case isFence && kind == "sh":
			examples = append(examples, Example{Line: began, Script: strings.Join(block, "\n")})
			kind = ""
		case isFence && kind == "text":
			if len(examples) == 0 || examples[len(examples)-1].Output != "" {
				return nil, fmt.Errorf("line %d: output of no example", began)
			}

			examples[len(examples)-1].Output = strings.Join(block, "\n")
			kind = ""
		case isFence:
			kind = ""
		default:
			block = append(block, line)
		}
	}

	for _, example := range examples {
		if example.Output == "" {
			return nil, fmt.Errorf("line %d: the page does not say what it prints", example.Line)
		}
	}

	return examples, nil
}

// Run runs the examples in one shell each, with the first one's functions, and
// returns an error for each that fails or prints something else.
func Run(ctx context.Context, examples []Example, environment ...string) []error {
	var (
		errs    []error
		prelude string
	)

	for _, example := range examples {
		command := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", prelude+example.Script) //nolint:gosec // that is what it is for
		command.Env = append(os.Environ(), environment...)

		var complaints bytes.Buffer

		command.Stderr = &complaints

		output, err := command.Output()
		if err != nil {
			errs = append(errs, fmt.Errorf("line %d: %w\n%s", example.Line, err, complaints.String()))
		}

		if got := strings.TrimSuffix(string(output), "\n"); got != example.Output {
			errs = append(errs, fmt.Errorf("line %d prints:\n%s\nthe page says:\n%s", example.Line, got, example.Output))
		}

		// What the first example defines, the others use.
		if prelude == "" {
			for line := range strings.SplitSeq(example.Script, "\n") {
				if strings.Contains(line, "() {") {
					prelude += line + "\n"
				}
			}
		}
	}

	return errs
}
