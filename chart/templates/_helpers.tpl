{{/* Name of everything that the release makes. */}}
{{- define "freehold.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Labels that select the managers; they never change between releases. */}}
{{- define "freehold.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: manager
{{- end -}}

{{/* Labels of every object. */}}
{{- define "freehold.labels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* The image of both programs. */}}
{{- define "freehold.image" -}}
{{- $registry := dig "cattle" "systemDefaultRegistry" "" .Values.global -}}
{{- if $registry }}{{ $registry }}/{{ end -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}

{{- define "freehold.agentServiceAccount" -}}
{{ include "freehold.fullname" . }}-agent
{{- end -}}

{{/* The APIService that leads Kubernetes' API server to ours. */}}
{{- define "freehold.apiService" -}}
v1.api.freehold.net
{{- end -}}

{{/*
The certificate authority that the manager wrote into a webhook, so that an
upgrade does not wipe it. Takes a dict of the live configuration and the name of
the webhook; prints nothing when there is none, as before the first start.
*/}}
{{- define "freehold.presentCABundle" -}}
{{- $name := .name -}}
{{- range (dig "webhooks" list .live) -}}
{{- if eq .name $name -}}
{{- dig "clientConfig" "caBundle" "" . -}}
{{- end -}}
{{- end -}}
{{- end -}}
