{{- define "mixhaul.migratePod" -}}
{{- $c := dict "root" $ "component" "migrate" "values" .Values.migrate "role" "migrate" "admin" false "token" false "needs" list -}}
metadata:
  labels:
    {{- include "mixhaul.podLabels" $c | nindent 4 }}
  {{- with include "mixhaul.podAnnotations" $c }}{{ . | nindent 2 }}{{ end }}
spec:
  {{- include "mixhaul.podSettings" $c | nindent 2 }}
  restartPolicy: OnFailure
  terminationGracePeriodSeconds: 30
  containers:
    - name: migrate
      {{- include "mixhaul.containerImage" $ | nindent 6 }}
      command: [mixhaul-ingestor]
      args: [migrate, --wait=300]
      env:
        {{- include "mixhaul.env" $c | nindent 8 }}
      resources:
        {{- toYaml .Values.migrate.resources | nindent 8 }}
      {{- include "mixhaul.containerSecurity" $ | nindent 6 }}
      volumeMounts:
        {{- include "mixhaul.mounts" $c | nindent 8 }}
  volumes:
    {{- include "mixhaul.volumes" $c | nindent 4 }}
{{- end }}
