// Command argo-cd does what Argo CD does, with its own library.
//
// Without arguments it compares objects as Argo CD does without its server-side diff: it reads a JSON
// list of pairs, what is wanted and what is there, and prints the names of those that it would call
// OutOfSync, with both sides. `sync APPLICATION NAMESPACE`: see sync.go.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/diff"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

type pair struct {
	Wanted *unstructured.Unstructured `json:"wanted"`
	Live   *unstructured.Unstructured `json:"live"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) == 0 {
		return compare()
	}
	return apply(arguments[1], arguments[2])
}

func compare() error {
	var pairs []pair
	if err := json.NewDecoder(os.Stdin).Decode(&pairs); err != nil {
		return err
	}
	for _, each := range pairs {
		found, err := diff.Diff(each.Wanted, each.Live)
		if err != nil {
			return err
		}
		if found.Modified {
			fmt.Printf("%s/%s\n", each.Wanted.GetKind(), each.Wanted.GetName())
			fmt.Printf("  live   %s\n  wanted %s\n", found.NormalizedLive, found.PredictedLive)
		}
	}
	return nil
}
