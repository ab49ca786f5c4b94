package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/cache"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/engine"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
)

const trackingID = "argocd.argoproj.io/tracking-id"

// onlySecrets keeps all other kinds out of what is looked at.
type onlySecrets struct{}

func (onlySecrets) IsExcludedResource(group, kind, _ string) bool {
	return group != "" || kind != "Secret"
}

// apply does one sync of an Application with `prune`: the Secrets of the JSON list on standard input
// are applied, and those are deleted that are the Application's and not in the list. It prints what
// it did of each.
func apply(application, namespace string) error {
	var wanted []*unstructured.Unstructured
	if err := json.NewDecoder(os.Stdin).Decode(&wanted); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return err
	}
	live := cache.NewClusterCache(
		config,
		cache.SetNamespaces([]string{namespace}),
		cache.SetSettings(cache.Settings{ResourcesFilter: onlySecrets{}}),
		// What is the Application's, Argo CD's controller tells its library likewise.
		cache.SetPopulateResourceInfoHandler(func(one *unstructured.Unstructured, _ bool) (any, bool) {
			isOurs := strings.HasPrefix(one.GetAnnotations()[trackingID], application+":")
			return isOurs, isOurs
		}),
	)
	gitops := engine.NewEngine(config, live)
	stop, err := gitops.Run()
	if err != nil {
		return err
	}
	defer stop()
	isOurs := func(one *cache.Resource) bool { return one.Info == true }
	done, err := gitops.Sync(context.Background(), wanted, isOurs, "", namespace, sync.WithPrune(true))
	if err != nil {
		return err
	}
	for _, one := range done {
		fmt.Printf("%s %s/%s\n", one.Status, one.ResourceKey.Kind, one.ResourceKey.Name)
	}
	return nil
}
