{{- define "bench.labels" -}}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/managed-by: platform-secrets
app.kubernetes.io/part-of: {{ .root.Values.platform }}
platform-secrets/environment: {{ .root.Values.environment }}
{{- end -}}
