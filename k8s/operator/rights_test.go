package operator

import (
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hp-analytics/hp-analytics/k8s/operator/internal/registration"
)

// rights returns the rights that the README lists, for one user and one namespace, which is both the operator's and watched.
func rights(namespace, user string) []client.Object {
	name := metav1.ObjectMeta{Name: user}
	inNamespace := metav1.ObjectMeta{Namespace: namespace, Name: user}
	subjects := []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}}
	role := func(kind, name string) rbacv1.RoleRef {
		return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: name}
	}
	rule := func(group, resource, name string, verbs ...string) rbacv1.PolicyRule {
		rule := rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: verbs}
		if name != "" {
			rule.ResourceNames = []string{name}
		}
		return rule
	}
	return []client.Object{
		&rbacv1.Role{ObjectMeta: inNamespace, Rules: []rbacv1.PolicyRule{
			// Each watched namespace.
			rule("analytics.hp-analytics.dev", "aggregatorpools", "", "get", "list", "watch"),
			rule("analytics.hp-analytics.dev", "aggregatorpools/status", "", "patch"),
			rule("autoscaling", "horizontalpodautoscalers", "", "get", "list", "watch", "create", "patch", "delete"),
			rule("apps", "deployments", "", "get", "list", "watch"),
			rule("events.k8s.io", "events", "", "create", "patch"),
			// The operator's own.
			rule("coordination.k8s.io", "leases", "", "create"),
			rule("coordination.k8s.io", "leases", "hp-analytics-operator", "get", "update"),
			rule("", "events", "", "create", "patch"),
			rule("", "secrets", "operator-tls", "get", "update"),
		}},
		&rbacv1.RoleBinding{ObjectMeta: inNamespace, Subjects: subjects, RoleRef: role("Role", user)},
		&rbacv1.ClusterRole{ObjectMeta: name, Rules: []rbacv1.PolicyRule{
			rule("apiregistration.k8s.io", "apiservices", registration.Name, "get", "list", "watch", "patch"),
		}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: name, Subjects: subjects, RoleRef: role("ClusterRole", user)},
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: user + "-delegates"}, Subjects: subjects, RoleRef: role("ClusterRole", "system:auth-delegator"),
		},
		&rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: user}, Subjects: subjects,
			RoleRef: role("Role", "extension-apiserver-authentication-reader"),
		},
	}
}
