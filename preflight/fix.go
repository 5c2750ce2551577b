package preflight

import "fmt"

// sysctl is for what belongs to the machine, or to the node of a cluster, as a whole. "sysctl --system"
// reads the file.
func sysctl(name string, value any) Fix {
	return Fix{"sysctl", "/etc/sysctl.d/90-hubkit.conf", fmt.Sprintf("%s = %v", name, value)}
}

// namespaced is for what every network namespace has for itself, so that a container can have its
// own.
func namespaced(name string, value any) []Fix {
	return []Fix{
		sysctl(name, value),
		{"docker", "docker run", fmt.Sprintf("--sysctl '%s=%v'", name, value)},
		{"kubernetes", "pod spec.securityContext.sysctls", fmt.Sprintf("- {name: %s, value: \"%v\"}", name, value)},
	}
}

// memoryFix raises the memory of a cgroup. setting is systemd's.
func memoryFix(setting string, bytes int64) []Fix {
	const mib, gib = 1 << 20, 1 << 30
	n, unit := (bytes+mib-1)/mib, "M"
	if bytes >= gib {
		n, unit = (bytes+gib-1)/gib, "G"
	}
	return []Fix{
		{"systemd", "systemctl edit UNIT, [Service]", fmt.Sprintf("%s=%d%s", setting, n, unit)},
		{"docker", "docker run", fmt.Sprintf("--memory=%d%s", n, unit)},
		{"kubernetes", "container resources.limits", fmt.Sprintf("memory: %d%si", n, unit)},
	}
}
