{{/* Objects that several components have. */}}

{{- define "mixhaul.serviceAccount" -}}
{{- if .values.serviceAccount.create }}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "mixhaul.serviceAccountName" . }}
  labels:
    {{- include "mixhaul.labels" . | nindent 4 }}
  {{- with .values.serviceAccount.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end }}
{{- end }}

{{- define "mixhaul.roleBinding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ include "mixhaul.name" . }}
  labels:
    {{- include "mixhaul.labels" . | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ include "mixhaul.name" . }}
subjects:
  - kind: ServiceAccount
    name: {{ include "mixhaul.serviceAccountName" . }}
    namespace: {{ .root.Release.Namespace }}
{{- end }}

{{- define "mixhaul.podDisruptionBudget" -}}
{{- if .values.podDisruptionBudget.enabled }}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "mixhaul.name" . }}
  labels:
    {{- include "mixhaul.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  # A pod that is not ready holds up nobody's drain.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "mixhaul.selector" . | nindent 6 }}
{{- end }}
{{- end }}

{{/* One way in or out. `peers` empty: everybody; that is how NetworkPolicy means it. */}}
{{- define "mixhaul.way" -}}
- ports:
  {{- range .ports }}
    - port: {{ . }}
      protocol: {{ $.protocol | default "TCP" }}
  {{- end }}
  {{- with .peers }}
  {{ $.direction }}:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/*
The NetworkPolicy of a component: `admin` lets metrics be read, `in` is more of the kind, `out` names what it must reach:
dns, kubernetesAPI, database, mix, issuer, and api for the pod of helm test.
*/}}
{{- define "mixhaul.networkPolicy" -}}
{{- $policy := .root.Values.networkPolicy }}
{{- if $policy.enabled }}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "mixhaul.name" . }}
  labels:
    {{- include "mixhaul.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "mixhaul.selector" . | nindent 6 }}
  policyTypes:
    - Ingress
    {{- if $policy.egress.enabled }}
    - Egress
    {{- end }}
  {{- if or .admin .in }}
  ingress:
    {{- if .admin }}
    {{- include "mixhaul.way" (dict "direction" "from" "peers" $policy.metrics.from "ports" (list 8081)) | nindent 4 }}
    {{- end }}
    {{- with .in }}
    {{- . | nindent 4 }}
    {{- end }}
  {{- end }}
  {{- if and $policy.egress.enabled .out }}
  egress:
    {{- $root := .root }}
    {{- range .out }}
    {{- if eq . "dns" }}
    {{- range $protocol := list "UDP" "TCP" }}
    {{- include "mixhaul.way" (dict "direction" "to" "peers" $policy.egress.dns.to "ports" (list 53) "protocol" $protocol) | nindent 4 }}
    {{- end }}
    {{- else if eq . "api" }}
    {{- $peers := list (dict "podSelector" (dict "matchLabels" (include "mixhaul.selector" (dict "root" $root "component" "api") | fromYaml))) }}
    {{- include "mixhaul.way" (dict "direction" "to" "peers" $peers "ports" (list 8080)) | nindent 4 }}
    {{- else if and (eq . "database") $root.Values.postgresql.tryOut.enabled }}
    {{- $peers := list (dict "podSelector" (dict "matchLabels" (include "mixhaul.selector" (dict "root" $root "component" "try-out-postgresql") | fromYaml))) }}
    {{- include "mixhaul.way" (dict "direction" "to" "peers" $peers "ports" (list 5432)) | nindent 4 }}
    {{- else if or (ne . "issuer") (include "mixhaul.issuerKeys" $root) }}
    {{- $way := index $policy.egress . }}
    {{- include "mixhaul.way" (dict "direction" "to" "peers" $way.to "ports" $way.ports) | nindent 4 }}
    {{- end }}
    {{- end }}
  {{- end }}
{{- end }}
{{- end }}

{{/* A headless Service whose endpoints are the pods' admin ports, for ServiceMonitors. */}}
{{- define "mixhaul.metricsService" -}}
{{- if .root.Values.metrics.serviceMonitor.enabled }}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "mixhaul.name" . }}-metrics
  labels:
    {{- include "mixhaul.labels" . | nindent 4 }}
    mixhaul.io/metrics: "true"
spec:
  clusterIP: None
  # One that is not ready is the one to look at.
  publishNotReadyAddresses: true
  ports:
    - name: metrics
      port: 8081
      targetPort: admin
  selector:
    {{- include "mixhaul.selector" . | nindent 4 }}
{{- end }}
{{- end }}
