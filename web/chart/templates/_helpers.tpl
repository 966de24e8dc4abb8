{{/* Labels that select the pods; they never change between releases. */}}
{{- define "vm-dhcp-ui.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Labels of every object. */}}
{{- define "vm-dhcp-ui.labels" -}}
{{ include "vm-dhcp-ui.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "vm-dhcp-ui.image" -}}
{{- $registry := dig "cattle" "systemDefaultRegistry" "" .Values.global -}}
{{- if $registry }}{{ $registry }}/{{ end -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
