{{/* Which Secret holds what: as YAML with `name` and `key`, empty where there is none. */}}

{{- define "mixhaul.tryOutName" -}}
{{- printf "%s-try-out-postgresql" (include "mixhaul.fullname" .) -}}
{{- end }}

{{/* The login to the database of (dict "root" $ "role" "writer"). */}}
{{- define "mixhaul.databaseSecret" -}}
{{- $database := .root.Values.database }}
{{- $own := index $database .role }}
{{- if $own.existingSecret }}
name: {{ $own.existingSecret }}
key: {{ $own.key | default $database.key }}
{{- else if $database.existingSecret }}
name: {{ $database.existingSecret }}
key: {{ $own.key | default $database.key }}
{{- else if .root.Values.postgresql.tryOut.enabled }}
name: {{ include "mixhaul.tryOutName" .root }}
key: uri
{{- end }}
{{- end }}

{{- define "mixhaul.encryptionSecret" -}}
{{- if .Values.encryptionKeys.existingSecret }}
name: {{ .Values.encryptionKeys.existingSecret }}
key: {{ .Values.encryptionKeys.key }}
{{- else if .Values.postgresql.tryOut.enabled }}
name: {{ include "mixhaul.tryOutName" . }}
key: encryption-keys
{{- end }}
{{- end }}

{{/* A read replica for the API. */}}
{{- define "mixhaul.readSecret" -}}
{{- with .Values.database.read }}{{ if .existingSecret }}
name: {{ .existingSecret }}
key: {{ .key | default $.Values.database.key }}
{{- end }}{{ end }}
{{- end }}

{{/* Not empty where tokens are checked with the keys of an issuer. */}}
{{- define "mixhaul.issuerKeys" -}}
{{- with .Values.api.jwt }}
{{- if or .jwksURL (and .issuer .audience (not .existingSecret) (not $.Values.postgresql.tryOut.enabled)) }}yes{{ end }}
{{- end }}
{{- end }}

{{/* The static key of API tokens; none where an issuer has its own. */}}
{{- define "mixhaul.jwtSecret" -}}
{{- if .Values.api.jwt.existingSecret }}
name: {{ .Values.api.jwt.existingSecret }}
key: {{ .Values.api.jwt.key }}
{{- else if and .Values.postgresql.tryOut.enabled (not .Values.api.jwt.jwksURL) }}
name: {{ include "mixhaul.tryOutName" . }}
key: jwt-key
{{- end }}
{{- end }}
