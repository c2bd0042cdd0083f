{{/*
Environment, files and volumes of a container, from
(dict "root" $ "component" "api" "values" .Values.api "role" "api" "admin" true "needs" (list "jwt" "proxy")).
The names are those of docs/configuration.md; a test compares them. Secrets come as files, never in the environment.
*/}}

{{- define "mixhaul.ownEnv" -}}
{{- $values := .root.Values -}}
- name: MIXHAUL_LOG_LEVEL
  value: {{ $values.log.level }}
- name: MIXHAUL_LOG_FORMAT
  value: {{ $values.log.format }}
{{- if .admin }}
- name: MIXHAUL_ADMIN_HOST
  value: 0.0.0.0
- name: MIXHAUL_ADMIN_PORT
  value: "8081"
{{- end }}
{{- if .role }}
- name: MIXHAUL_DATABASE_URL_FILE
  value: /var/run/secrets/mixhaul/database/url
- name: MIXHAUL_EMBEDDED_DATABASE
  value: "false"
{{- with $values.database.tls.mode }}
- name: PGSSLMODE
  value: {{ . }}
{{- end }}
{{- if $values.database.tls.caSecret }}
- name: PGSSLROOTCERT
  value: /var/run/secrets/mixhaul/database-ca/ca.crt
{{- end }}
{{- end }}
{{- if and (has "replica" .needs) (include "mixhaul.readSecret" .root) }}
- name: MIXHAUL_READ_DATABASE_URL_FILE
  value: /var/run/secrets/mixhaul/read-database/url
{{- end }}
{{- if has "encryption" .needs }}
- name: MIXHAUL_ENCRYPTION_KEYS_FILE
  value: /var/run/secrets/mixhaul/encryption/keys
{{- end }}
{{- if has "holder" .needs }}
- name: MIXHAUL_HOLDER
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- end }}
{{- if has "jwt" .needs }}
{{- if include "mixhaul.jwtSecret" .root }}
- name: MIXHAUL_JWT_KEY_FILE
  value: /var/run/secrets/mixhaul/jwt/key
{{- end }}
{{- with $values.api.jwt.jwksURL }}
- name: MIXHAUL_JWT_JWKS_URL
  value: {{ . | quote }}
{{- end }}
{{- with $values.api.jwt.issuer }}
- name: MIXHAUL_JWT_ISSUER
  value: {{ . | quote }}
{{- end }}
{{- with $values.api.jwt.audience }}
- name: MIXHAUL_JWT_AUDIENCE
  value: {{ . | quote }}
{{- end }}
- name: MIXHAUL_JWT_ORGANISATIONS_CLAIM
  value: {{ $values.api.jwt.organisationsClaim | quote }}
- name: MIXHAUL_JWT_SITES_CLAIM
  value: {{ $values.api.jwt.sitesClaim | quote }}
- name: MIXHAUL_JWT_ROLES_CLAIM
  value: {{ $values.api.jwt.rolesClaim | quote }}
{{- with $values.api.jwt.roleMap }}
- name: MIXHAUL_JWT_ROLE_MAP
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- if has "proxy" .needs }}
{{- with $values.proxy }}
{{- if .existingSecret }}
{{- range $name := list "HTTPS_PROXY" "HTTP_PROXY" }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef:
      name: {{ $values.proxy.existingSecret }}
      key: {{ $name }}
      optional: {{ eq $name "HTTP_PROXY" }}
{{- end }}
{{- else }}
{{- with .https }}
- name: HTTPS_PROXY
  value: {{ . | quote }}
{{- end }}
{{- with .http }}
- name: HTTP_PROXY
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- if or .existingSecret .https .http }}
- name: NO_PROXY
  value: {{ concat (list "localhost" "127.0.0.1" "$(KUBERNETES_SERVICE_HOST)" ".svc" ".cluster.local") .noProxy | join "," | quote }}
{{- end }}
{{- end }}
{{- if $values.privateCA.existingSecret }}
- name: SSL_CERT_FILE
  value: /var/run/secrets/mixhaul/private-ca/ca.crt
{{- end }}
{{- end }}
{{- with .env }}
{{ . | trim }}
{{- end }}
{{- end }}

{{/* Ours, without those that extraEnv replaces, and extraEnv. */}}
{{- define "mixhaul.env" -}}
{{- $replaced := list }}
{{- range .values.extraEnv }}{{- $replaced = append $replaced .name }}{{- end }}
{{- $all := list }}
{{- range include "mixhaul.ownEnv" . | fromYamlArray }}
{{- if not (has .name $replaced) }}{{- $all = append $all . }}{{- end }}
{{- end }}
{{- toYaml (concat $all .values.extraEnv) }}
{{- end }}

{{/* A list of (dict "name" "path" "secret" "key" "file"): files that come from Secrets. */}}
{{- define "mixhaul.files" -}}
{{- $root := .root }}
{{- if .role }}
{{- with include "mixhaul.databaseSecret" (dict "root" $root "role" .role) | fromYaml }}
- {volume: database, secret: {{ .name }}, key: {{ .key | quote }}, file: url}
{{- end }}
{{- with $root.Values.database.tls }}{{ if .caSecret }}
- {volume: database-ca, secret: {{ .caSecret }}, key: {{ .caKey | quote }}, file: ca.crt}
{{- end }}{{ end }}
{{- end }}
{{- if has "replica" .needs }}
{{- with include "mixhaul.readSecret" $root | fromYaml }}
- {volume: read-database, secret: {{ .name }}, key: {{ .key | quote }}, file: url}
{{- end }}
{{- end }}
{{- if has "encryption" .needs }}
{{- with include "mixhaul.encryptionSecret" $root | fromYaml }}
- {volume: encryption, secret: {{ .name }}, key: {{ .key | quote }}, file: keys}
{{- end }}
{{- end }}
{{- if has "jwt" .needs }}
{{- with include "mixhaul.jwtSecret" $root | fromYaml }}
- {volume: jwt, secret: {{ .name }}, key: {{ .key | quote }}, file: key}
{{- end }}
{{- end }}
{{- if has "proxy" .needs }}
{{- with $root.Values.privateCA }}{{ if .existingSecret }}
- {volume: private-ca, secret: {{ .existingSecret }}, key: {{ .key | quote }}, file: ca.crt}
{{- end }}{{ end }}
{{- end }}
{{- end }}

{{- define "mixhaul.mounts" -}}
- name: tmp
  mountPath: /tmp
{{- range include "mixhaul.files" . | fromYamlArray }}
- name: {{ .volume }}
  mountPath: /var/run/secrets/mixhaul/{{ .volume }}
  readOnly: true
{{- end }}
{{- end }}

{{- define "mixhaul.volumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
{{- range include "mixhaul.files" . | fromYamlArray }}
- name: {{ .volume }}
  secret:
    secretName: {{ .secret }}
    # 0440
    defaultMode: 288
    items:
      - key: {{ .key | quote }}
        path: {{ .file }}
{{- end }}
{{- end }}
