package check

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/gohubkit/hubkit/preflight"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"
)

const folder = "../kubernetes/"

// manifests are the objects of deploy/kubernetes.
type manifests struct {
	deployment appsv1.Deployment
	service    corev1.Service
	network    networkingv1.NetworkPolicy
	budget     policyv1.PodDisruptionBudget
	scaler     autoscalingv2.HorizontalPodAutoscaler
}

// load decodes each object of the files into the API's own type, and fails the test if a field is unknown.
func load(t *testing.T) *manifests {
	t.Helper()
	m := new(manifests)
	want := map[string]any{
		"apps/v1 Deployment":                     &m.deployment,
		"v1 Service":                             &m.service,
		"networking.k8s.io/v1 NetworkPolicy":     &m.network,
		"policy/v1 PodDisruptionBudget":          &m.budget,
		"autoscaling/v2 HorizontalPodAutoscaler": &m.scaler,
	}
	for _, name := range []string{"deployment.yaml", "service.yaml", "scaling.yaml"} {
		for doc := range strings.SplitSeq(read(t, name), "\n---\n") {
			var kind metav1.TypeMeta
			if err := yaml.Unmarshal([]byte(doc), &kind); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			is := kind.APIVersion + " " + kind.Kind
			into, ok := want[is]
			if !ok {
				t.Fatalf("%s has one %q too many", name, is)
			}
			delete(want, is)
			if err := yaml.UnmarshalStrict([]byte(doc), into); err != nil {
				t.Fatalf("%s, %s: %v", name, is, err)
			}
		}
	}
	for is := range want {
		t.Fatalf("there is no %s", is)
	}
	return m
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(folder + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// pod is the one of the Deployment, and its container.
func (m *manifests) pod() (*corev1.PodTemplateSpec, *corev1.Container) {
	return &m.deployment.Spec.Template, &m.deployment.Spec.Template.Spec.Containers[0]
}

// argument is the value of a flag that the container is started with.
func (m *manifests) argument(t *testing.T, flag string) string {
	t.Helper()
	_, c := m.pod()
	for _, arg := range c.Args {
		if v, ok := strings.CutPrefix(arg, "-"+flag+"="); ok {
			return v
		}
	}
	t.Fatalf("the container is started without -%s: %q", flag, c.Args)
	return ""
}

// TestNames: names are valid, and each selector means the pods.
func TestNames(t *testing.T) {
	m := load(t)
	template, c := m.pod()
	for _, name := range []string{m.deployment.Name, m.service.Name, m.network.Name, m.budget.Name, m.scaler.Name, c.Name} {
		if faults := validation.IsDNS1123Label(name); len(faults) > 0 {
			t.Errorf("name %q: %v", name, faults)
		}
	}
	for of, s := range map[string]*metav1.LabelSelector{
		"Deployment": m.deployment.Spec.Selector, "PodDisruptionBudget": m.budget.Spec.Selector, "NetworkPolicy": &m.network.Spec.PodSelector,
		"Service": {MatchLabels: m.service.Spec.Selector}, "spread": template.Spec.TopologySpreadConstraints[0].LabelSelector,
	} {
		selector, err := metav1.LabelSelectorAsSelector(s)
		if err != nil || selector.Empty() || !selector.Matches(labels.Set(template.Labels)) {
			t.Errorf("the selector of the %s, %v, does not mean the pods, %v: %v", of, selector, template.Labels, err)
		}
	}
	if to := m.scaler.Spec.ScaleTargetRef; to.Kind != "Deployment" || to.APIVersion != m.deployment.APIVersion || to.Name != m.deployment.Name {
		t.Errorf("the HorizontalPodAutoscaler scales %+v", to)
	}
	if m.deployment.Spec.Replicas != nil {
		t.Error("the Deployment has replicas, and resets those of the HorizontalPodAutoscaler")
	}
}

// TestPorts: what names a port names one of the container's, and only Prometheus reaches the metrics.
func TestPorts(t *testing.T) {
	m := load(t)
	_, c := m.pod()
	number := make(map[string]int32)
	for _, p := range c.Ports {
		if faults := validation.IsValidPortName(p.Name); len(faults) > 0 {
			t.Errorf("port %q: %v", p.Name, faults)
		}
		number[p.Name] = p.ContainerPort
	}
	if addr := m.argument(t, "addr"); addr != fmt.Sprintf(":%d", number["http"]) {
		t.Errorf("the container listens on %s, and its port http is %d", addr, number["http"])
	}
	used := []intstr.IntOrString{c.ReadinessProbe.HTTPGet.Port, c.LivenessProbe.HTTPGet.Port}
	for _, p := range m.service.Spec.Ports {
		used = append(used, p.TargetPort)
		if p.TargetPort.StrVal == "metrics" {
			t.Error("the Service gives clients the metrics")
		}
	}
	for _, rule := range m.network.Spec.Ingress {
		for _, p := range rule.Ports {
			used = append(used, *p.Port)
			if p.Port.StrVal == "metrics" && len(rule.From) == 0 {
				t.Error("the NetworkPolicy gives everybody the metrics")
			}
		}
	}
	for _, p := range used {
		if number[p.StrVal] == 0 {
			t.Errorf("the container has no port %q", p.String())
		}
	}
	if got := scrape(t).port; number[got] == 0 {
		t.Errorf("Prometheus looks for the port %q, which the container does not have", got)
	}
}

// lastConns is what examples/chat gives the last connections, beyond the drain.
const lastConns = 5 * time.Second

// TestDrainHasTime: a pod is not killed before its hub has drained, and no more than one is taken away at a time.
func TestDrainHasTime(t *testing.T) {
	m := load(t)
	template, c := m.pod()
	drain, err := time.ParseDuration(m.argument(t, "drain"))
	if err != nil {
		t.Fatal(err)
	}
	before := c.Lifecycle.PreStop.Sleep
	if before == nil || before.Seconds < 1 {
		t.Fatal("nothing gives the nodes of Kubernetes time to learn that a pod is leaving")
	}
	need := time.Duration(before.Seconds)*time.Second + drain + lastConns
	if has := time.Duration(*template.Spec.TerminationGracePeriodSeconds) * time.Second; has < need {
		t.Errorf("the pod has %v to end, and needs %v", has, need)
	}
	rolling := m.deployment.Spec.Strategy.RollingUpdate
	if rolling.MaxUnavailable.IntValue() != 0 || rolling.MaxSurge.IntValue() < 1 {
		t.Errorf("a deployment takes pods away before there are others: %v", rolling)
	}
	if one := m.budget.Spec.MaxUnavailable; one == nil || one.IntValue() != 1 || *m.scaler.Spec.MinReplicas < 2 {
		t.Errorf("of %d pods %v may be away", *m.scaler.Spec.MinReplicas, one)
	}
	down := m.scaler.Spec.Behavior.ScaleDown.Policies
	if len(down) != 1 || down[0].Type != autoscalingv2.PodsScalingPolicy || down[0].Value != 1 ||
		time.Duration(down[0].PeriodSeconds)*time.Second < need {
		t.Errorf("the HorizontalPodAutoscaler takes pods away faster than they drain: %v", down)
	}
	if c.LivenessProbe.HTTPGet.Path == c.ReadinessProbe.HTTPGet.Path {
		t.Error("a pod that is not ready is restarted")
	}
}

// TestScaling: the metric exists, the adapter's rule makes it, and a pod bears twice the connections at which another is started.
func TestScaling(t *testing.T) {
	m := load(t)
	_, c := m.pod()
	spec := m.scaler.Spec.Metrics[0]
	if spec.Type != autoscalingv2.PodsMetricSourceType || spec.Pods.Target.Type != autoscalingv2.AverageValueMetricType {
		t.Fatalf("the first metric is %+v", spec)
	}
	metric := spec.Pods.Metric.Name
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "\n| `"+metric+"` | gauge |") {
		t.Errorf("docs/metrics.md has no gauge %s", metric)
	}
	rule := adapterRule(t)
	if rule.Name.As != metric || !strings.HasPrefix(rule.SeriesQuery, metric+"{") {
		t.Errorf("the rule makes %q of %q, want %s", rule.Name.As, rule.SeriesQuery, metric)
	}
	query, err := template.New("").Delims("<<", ">>").Option("missingkey=error").Parse(rule.MetricsQuery)
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]string{"Series": metric, "LabelMatchers": `pod="a"`, "GroupBy": "pod"}
	if err := query.Execute(io.Discard, fields); err != nil {
		t.Error(err)
	}
	for label, resource := range rule.Resources.Overrides {
		if label != resource.Resource || !slices.Contains(scrape(t).labels, label) {
			t.Errorf("the rule takes %s for a %s; the scrape adds %v", label, resource.Resource, scrape(t).labels)
		}
	}
	limit := c.Resources.Limits.Memory().Value()
	if limit != c.Resources.Requests.Memory().Value() {
		t.Error("the pod may use more memory than it is sure to get")
	}
	report, err := preflight.Check()
	if err != nil {
		t.Fatal(err)
	}
	bears := limit / 4 * 3 / int64(report.ConnBytes)
	if at := spec.Pods.Target.AverageValue.Value(); at > bears/2 {
		t.Errorf("another pod comes at %d connections, and a pod bears %d", at, bears)
	}
}

// TestRestricted: the pod keeps to the Pod Security Standard "restricted", and writes no files.
func TestRestricted(t *testing.T) {
	m := load(t)
	template, c := m.pod()
	pod, container := template.Spec.SecurityContext, c.SecurityContext
	for what, ok := range map[string]bool{
		"does not run as root":  *pod.RunAsNonRoot && *pod.RunAsUser > 0,
		"has a seccomp profile": pod.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault,
		"gains no privileges":   !*container.AllowPrivilegeEscalation,
		"has no capabilities":   slices.Equal(container.Capabilities.Drop, []corev1.Capability{"ALL"}) && container.Capabilities.Add == nil,
		"writes no files":       *container.ReadOnlyRootFilesystem,
		"has no token":          !*template.Spec.AutomountServiceAccountToken,
	} {
		if !ok {
			t.Errorf("it is not so that the pod %s", what)
		}
	}
}

// rule is one of prometheus-adapter's, as its documentation has it.
type rule struct {
	SeriesQuery string `json:"seriesQuery"`
	Resources   struct {
		Overrides map[string]struct {
			Resource string `json:"resource"`
		} `json:"overrides"`
	} `json:"resources"`
	Name struct {
		As string `json:"as"`
	} `json:"name"`
	MetricsQuery string `json:"metricsQuery"`
}

func adapterRule(t *testing.T) rule {
	t.Helper()
	var config struct {
		Rules []rule `json:"rules"`
	}
	if err := yaml.UnmarshalStrict([]byte(read(t, "prometheus-adapter.yaml")), &config); err != nil || len(config.Rules) != 1 {
		t.Fatalf("prometheus-adapter.yaml: %d rules, %v", len(config.Rules), err)
	}
	return config.Rules[0]
}

// scraped is what prometheus.yml has of pods: the port that it looks for, and the labels that it adds.
type scraped struct {
	port   string
	labels []string
}

func scrape(t *testing.T) (s scraped) {
	t.Helper()
	text := read(t, "prometheus.yml")
	port := regexp.MustCompile(`(?m)regex: hub;(\w+)$`).FindStringSubmatch(text)
	if port == nil {
		t.Fatal("prometheus.yml does not choose a port of the pods")
	}
	s.port = port[1]
	for _, m := range regexp.MustCompile(`(?m)target_label: (\w+)$`).FindAllStringSubmatch(text, -1) {
		s.labels = append(s.labels, m[1])
	}
	return s
}
