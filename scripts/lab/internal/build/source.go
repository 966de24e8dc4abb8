package build

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// modulePath is the first line of the lab's go.mod.
const modulePath = "module github.com/freehold-net/freehold/scripts/lab"

// FindSource returns the root of the lab's Go module: the nearest directory
// from start upwards that is it or holds it as scripts/lab.
func FindSource(start string) (string, error) {
	dir, err := filepath.Abs(start)
	if err != nil {
		return "", err
	}
	for {
		for _, candidate := range []string{dir, filepath.Join(dir, "scripts", "lab")} {
			data, err := os.ReadFile(filepath.Join(candidate, "go.mod"))
			if err == nil && strings.HasPrefix(string(data), modulePath+"\n") {
				return candidate, nil
			}
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("no source of the lab found from %s upwards: run this inside the repository", start)
		}
		dir = parent
	}
}

// SourceDir returns the root of the lab's Go module, or of a directory in it.
func (c *Cache) SourceDir(sub ...string) (string, error) {
	root := c.Source
	if root == "" {
		wd, err := os.Getwd()
		if err != nil {
			return "", err
		}
		if root, err = FindSource(wd); err != nil {
			return "", err
		}
	}
	return filepath.Join(append([]string{root}, sub...)...), nil
}

// HashFiles returns a short hash of the names and contents of the files, and of
// all files below the directories, given. Modes and times do not count.
func HashFiles(paths ...string) (string, error) {
	h := sha256.New()
	for _, root := range paths {
		var files []string
		err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			return "", err
		}
		slices.Sort(files)
		for _, path := range files {
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(h, "%s\x00%s\x00", filepath.Base(root), rel) // a hash does not fail
			if err := hashFile(h, path); err != nil {
				return "", err
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:12], nil
}

func hashFile(h io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	n, err := io.Copy(h, f)
	fmt.Fprintf(h, "\x00%d\x00", n) // a hash does not fail
	return errors.Join(err, f.Close())
}
