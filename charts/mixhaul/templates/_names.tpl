{{/* Names and labels. Those of a component take (dict "root" $ "component" "api"). */}}

{{- define "mixhaul.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains "mixhaul" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-mixhaul" (.Release.Name | trunc 32 | trimSuffix "-") -}}
{{- end -}}
{{- end }}

{{- define "mixhaul.name" -}}
{{- printf "%s-%s" (include "mixhaul.fullname" .root) .component -}}
{{- end }}

{{/* Never the chart's version: a selector can't be changed. */}}
{{- define "mixhaul.selector" -}}
app.kubernetes.io/name: mixhaul
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "mixhaul.labels" -}}
{{- $ours := include "mixhaul.selector" . | fromYaml }}
{{- $_ := set $ours "app.kubernetes.io/version" .root.Chart.AppVersion }}
{{- $_ := set $ours "app.kubernetes.io/managed-by" .root.Release.Service }}
{{- $_ := set $ours "helm.sh/chart" (printf "%s-%s" .root.Chart.Name (.root.Chart.Version | replace "+" "_")) }}
{{- toYaml (merge $ours (deepCopy .root.Values.commonLabels)) }}
{{- end }}

{{- define "mixhaul.podLabels" -}}
{{- $ours := include "mixhaul.selector" . | fromYaml }}
{{- toYaml (merge $ours (deepCopy .values.podLabels) (deepCopy .root.Values.podLabels) (deepCopy .root.Values.commonLabels)) }}
{{- end }}

{{- define "mixhaul.podAnnotations" -}}
{{- $own := dict }}
{{- if and .admin .root.Values.metrics.scrapeAnnotations.enabled }}
{{- $own = dict "prometheus.io/scrape" "true" "prometheus.io/port" "8081" "prometheus.io/path" "/metrics" }}
{{- end }}
{{- $all := merge (deepCopy .values.podAnnotations) (deepCopy .root.Values.podAnnotations) $own }}
{{- with $all -}}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end }}

{{- define "mixhaul.serviceAccountName" -}}
{{- if .values.serviceAccount.name -}}
{{- .values.serviceAccount.name -}}
{{- else -}}
{{- include "mixhaul.name" . -}}
{{- end -}}
{{- end }}

{{- define "mixhaul.image" -}}
{{- with .Values.image -}}
{{- $name := .repository -}}
{{- if .registry -}}{{- $name = printf "%s/%s" (trimSuffix "/" .registry) .repository -}}{{- end -}}
{{- if .digest -}}
{{- printf "%s@%s" $name .digest -}}
{{- else -}}
{{- printf "%s:%s" $name (.tag | default $.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}
{{- end }}
