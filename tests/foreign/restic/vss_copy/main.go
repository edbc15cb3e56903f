// A backup of one folder by restic's own file system over VSS, which `restic backup --use-fs-snapshot` uses: the first
// access takes the snapshot, DeleteSnapshots ends the backup. usage: vss_copy FOLDER TO
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/restic/restic/internal/fs"
)

func copyFile(source fs.FS, from, to string) error {
	in, err := source.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if end := out.Close(); err == nil {
		err = end
	}
	return err
}

func copyTree(source fs.FS, from, to string) error {
	info, err := source.Lstat(from)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return copyFile(source, from, to)
	}
	if err := os.Mkdir(to, 0700); err != nil {
		return err
	}
	folder, err := source.Open(from)
	if err != nil {
		return err
	}
	defer folder.Close()
	names, err := folder.Readdirnames(-1)
	for _, name := range names {
		if err == nil {
			err = copyTree(source, filepath.Join(from, name), filepath.Join(to, name))
		}
	}
	return err
}

func main() {
	if len(os.Args) != 3 {
		os.Exit(2)
	}
	failed := false
	report := func(item string, err error) error {
		failed = true
		fmt.Fprintf(os.Stderr, "%s: %v\n", item, err)
		return nil
	}
	if err := fs.HasSufficientPrivilegesForVSS(); err != nil {
		_ = report("privileges", err)
		os.Exit(1)
	}
	source := fs.NewLocalVss(report, func(text string, args ...interface{}) { fmt.Printf(text, args...) })
	if err := copyTree(source, os.Args[1], os.Args[2]); err != nil {
		_ = report(os.Args[1], err)
	}
	source.DeleteSnapshots()
	if failed {
		os.Exit(1)
	}
}
