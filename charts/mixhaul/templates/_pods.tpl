{{/* What all pods have. The dict is that of _environment.tpl; `token` gives the pod its ServiceAccount's token. */}}

{{- define "mixhaul.podSettings" -}}
{{- $own := .values -}}
{{- $all := .root.Values -}}
serviceAccountName: {{ include "mixhaul.serviceAccountName" . }}
automountServiceAccountToken: {{ .token | default false }}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  {{- with $all.securityContext.runAsUser }}
  runAsUser: {{ . }}
  {{- end }}
  {{- with $all.securityContext.runAsGroup }}
  runAsGroup: {{ . }}
  {{- end }}
  {{- with $all.securityContext.fsGroup }}
  fsGroup: {{ . }}
  fsGroupChangePolicy: OnRootMismatch
  {{- end }}
  seccompProfile:
    type: RuntimeDefault
{{- with $all.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.nodeSelector | default $all.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.affinity | default $all.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.tolerations | default $all.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.priorityClassName | default $all.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{/* A constraint without a labelSelector counts no pod at all, so it gets the component's. */}}
{{- define "mixhaul.spread" -}}
{{- $ours := dict "matchLabels" (include "mixhaul.selector" . | fromYaml) }}
{{- $default := dict "maxSkew" 1 "topologyKey" "kubernetes.io/hostname" "whenUnsatisfiable" "ScheduleAnyway" }}
topologySpreadConstraints:
{{- range .values.topologySpreadConstraints | default (list $default) }}
  - {{- toYaml (merge (deepCopy .) (ternary dict (dict "labelSelector" $ours) (hasKey . "labelSelector"))) | nindent 4 }}
{{- end }}
{{- end }}

{{- define "mixhaul.containerImage" -}}
image: {{ include "mixhaul.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end }}

{{- define "mixhaul.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  privileged: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end }}

{{/* Thirty tries at the start: a busy node takes its time over a Python program. */}}
{{- define "mixhaul.probes" -}}
startupProbe:
  httpGet:
    path: /livez
    port: admin
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 30
livenessProbe:
  httpGet:
    path: /livez
    port: admin
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet:
    path: /readyz
    port: admin
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
{{- end }}

{{/* Time for everybody to hear that this pod takes no more requests, before it is told to end. */}}
{{- define "mixhaul.preStop" -}}
lifecycle:
  preStop:
    {{- if semverCompare ">=1.30-0" .Capabilities.KubeVersion.Version }}
    sleep:
      seconds: 2
    {{- else }}
    exec:
      command: [sleep, "2"]
    {{- end }}
{{- end }}
