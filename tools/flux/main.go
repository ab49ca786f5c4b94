// Command flux does to a cluster what Flux's kustomize-controller does at each reconcile of a
// Kustomization, with Flux's own library: it reads objects from stdin, takes away what kubectl's
// field managers hold, applies what has drifted, and prints what it did, an object a line.
package main

import (
	"context"
	"fmt"
	"os"
	"sort"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling"
	"github.com/fluxcd/pkg/ssa"
	"github.com/fluxcd/pkg/ssa/normalize"
	"github.com/fluxcd/pkg/ssa/utils"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// As kustomize-controller has them: internal/controller/kustomization_controller.go, apply.
const (
	controller = "kustomize-controller"
	group      = "kustomize.toolkit.fluxcd.io"
)

func main() {
	if err := reconcile(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func reconcile(ctx context.Context) error {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return err
	}
	config.QPS = -1
	kube, err := client.New(config, client.Options{})
	if err != nil {
		return err
	}
	objects, err := utils.ReadObjects(os.Stdin)
	if err != nil {
		return err
	}
	if err := normalize.UnstructuredList(objects); err != nil {
		return err
	}
	poller := polling.NewStatusPoller(kube, kube.RESTMapper(), polling.Options{})
	manager := ssa.NewResourceManager(kube, poller, ssa.Owner{Field: controller, Group: group})
	manager.SetOwnerLabels(objects, "platform-secrets", "flux-system")
	manager.SetConcurrency(4)
	changes, err := manager.ApplyAllStaged(ctx, objects, options())
	if err != nil {
		return err
	}
	lines := []string{}
	for _, entry := range changes.Entries {
		lines = append(lines, fmt.Sprintf("%s %s", entry.Action, entry.Subject))
	}
	sort.Strings(lines)
	for _, line := range lines {
		fmt.Println(line)
	}
	return nil
}

func options() ssa.ApplyOptions {
	found := ssa.DefaultApplyOptions()
	found.WaitTimeout = 10 * time.Second
	found.ExclusionSelector = map[string]string{group + "/reconcile": "disabled", group + "/ssa": "Ignore"}
	found.IfNotPresentSelector = map[string]string{group + "/ssa": "IfNotPresent"}
	found.ForceSelector = map[string]string{group + "/force": "enabled"}
	found.Cleanup = ssa.ApplyCleanupOptions{
		Annotations: []string{"kubectl.kubernetes.io/last-applied-configuration"},
		FieldManagers: []ssa.FieldManager{
			{Name: "kubectl", OperationType: metav1.ManagedFieldsOperationApply},
			{Name: "kubectl", OperationType: metav1.ManagedFieldsOperationUpdate},
			{Name: "before-first-apply", OperationType: metav1.ManagedFieldsOperationUpdate},
			{Name: controller, OperationType: metav1.ManagedFieldsOperationUpdate},
		},
		Exclusions: map[string]string{group + "/ssa": "Merge"},
	}
	return found
}
