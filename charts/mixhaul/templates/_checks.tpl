{{/* What contradicts itself, or can't run: each a sentence that says what to do. */}}

{{- define "mixhaul.checks" -}}
{{- $found := list }}
{{- $values := .Values }}
{{- $tryOut := .Values.postgresql.tryOut.enabled }}
{{- $named := list }}
{{- range $role := list "migrate" "writer" "api" "operator" }}
{{- if (index $values.database $role).existingSecret }}{{- $named = append $named (printf "database.%s.existingSecret" $role) }}{{- end }}
{{- end }}
{{- if $values.database.existingSecret }}{{- $named = append $named "database.existingSecret" }}{{- end }}
{{- if and $tryOut $named }}
{{- $found = append $found (printf "postgresql.tryOut.enabled goes with no other database: unset it, or %s" (join " and " $named)) }}
{{- else if not (or $tryOut $values.database.existingSecret) }}
{{- $missing := list }}
{{- range $role := list "migrate" "writer" "api" "operator" }}
{{- if not (or (index $values.database $role).existingSecret (and (eq $role "migrate") (not $values.migrate.enabled))) }}{{- $missing = append $missing (printf "database.%s.existingSecret" $role) }}{{- end }}
{{- end }}
{{- if $missing }}
{{- $found = append $found (printf "there is no database: set database.existingSecret to a Secret with a PostgreSQL URL%s, or postgresql.tryOut.enabled=true to try things out" (ternary (printf ", or %s as well" (join " and " $missing)) "" (gt (len $named) 0))) }}
{{- end }}
{{- end }}
{{- if and $tryOut (or $values.database.tls.caSecret (has $values.database.tls.mode (list "require" "verify-ca" "verify-full"))) }}
{{- $found = append $found "postgresql.tryOut.enabled has no TLS: unset database.tls.mode and database.tls.caSecret" }}
{{- end }}
{{- if not (include "mixhaul.encryptionSecret" .) }}
{{- $found = append $found "MiX's tokens can't be encrypted: make a Secret as the chart's README says, and set encryptionKeys.existingSecret" }}
{{- end }}
{{- with .Values.api.jwt }}
{{- if and .jwksURL .existingSecret }}
{{- $found = append $found "api.jwt.jwksURL and api.jwt.existingSecret exclude each other: unset one" }}
{{- end }}
{{- if and .jwksURL (not (and .issuer .audience)) }}
{{- $found = append $found "api.jwt.jwksURL needs api.jwt.issuer and api.jwt.audience: set both" }}
{{- end }}
{{- if not (or .jwksURL .existingSecret $tryOut (and .issuer .audience)) }}
{{- $found = append $found "the API can't check tokens: set api.jwt.issuer and audience, or api.jwt.existingSecret to a Secret with a static key" }}
{{- end }}
{{- end }}
{{- with .Values.api }}
{{- if and .ingress.enabled (not .ingress.hosts) }}
{{- $found = append $found "api.ingress.enabled needs a host: set api.ingress.hosts" }}
{{- end }}
{{- if .autoscaling.enabled }}
{{- if gt (int .autoscaling.minReplicas) (int .autoscaling.maxReplicas) }}
{{- $found = append $found "api.autoscaling.minReplicas is more than maxReplicas: lower the one, or raise the other" }}
{{- end }}
{{- if not (dig "requests" "cpu" "" .resources) }}
{{- $found = append $found "api.autoscaling.enabled measures against the CPU requested: set api.resources.requests.cpu" }}
{{- end }}
{{- end }}
{{- end }}
{{- if and .Values.proxy.existingSecret (or .Values.proxy.https .Values.proxy.http) }}
{{- $found = append $found "proxy.existingSecret goes instead of proxy.https and proxy.http: unset one or the other" }}
{{- end }}
{{- if and .Values.metrics.scrapeAnnotations.enabled .Values.metrics.serviceMonitor.enabled }}
{{- $found = append $found "metrics.scrapeAnnotations and metrics.serviceMonitor together would have everything scraped twice: disable one" }}
{{- end }}
{{- range $name, $own := dict "operator" .Values.operator "ingestor" .Values.ingestor "api" .Values.api "sync" .Values.sync "migrate" .Values.migrate }}
{{- if not (or $own.serviceAccount.create $own.serviceAccount.name) }}
{{- $found = append $found (printf "%s.serviceAccount.create=false needs the one to use: set %s.serviceAccount.name" $name $name) }}
{{- end }}
{{- end }}
{{- with .Values.postgresql.tryOut }}
{{- if and .enabled (not (or .serviceAccount.create .serviceAccount.name)) }}
{{- $found = append $found "postgresql.tryOut.serviceAccount.create=false needs the one to use: set postgresql.tryOut.serviceAccount.name" }}
{{- end }}
{{- end }}
{{- with .Values.networkPolicy }}
{{- if .egress.enabled }}
{{- if not .enabled }}
{{- $found = append $found "networkPolicy.egress.enabled needs networkPolicy.enabled: enable it" }}
{{- end }}
{{- $unknown := list }}
{{- if not .egress.kubernetesAPI.to }}{{- $unknown = append $unknown "networkPolicy.egress.kubernetesAPI.to" }}{{- end }}
{{- if not (or $tryOut .egress.database.to) }}{{- $unknown = append $unknown "networkPolicy.egress.database.to" }}{{- end }}
{{- if not .egress.mix.to }}{{- $unknown = append $unknown "networkPolicy.egress.mix.to" }}{{- end }}
{{- if and (include "mixhaul.issuerKeys" $) (not .egress.issuer.to) }}{{- $unknown = append $unknown "networkPolicy.egress.issuer.to" }}{{- end }}
{{- if $unknown }}
{{- $found = append $found (printf "networkPolicy.egress.enabled: no chart knows the addresses of a cluster: set %s, as in [{ipBlock: {cidr: 192.0.2.0/24}}]" (join " and " $unknown)) }}
{{- end }}
{{- end }}
{{- end }}
{{- $names := list }}
{{- range .Values.sources }}
{{- if has .name $names }}{{- $found = append $found (printf "sources has %s twice: rename or remove one" .name) }}{{- end }}
{{- $names = append $names .name }}
{{- end }}
{{- if $found }}
{{- fail (printf "\n\nmixhaul can't be installed like this:\n- %s\n" (join "\n- " $found)) }}
{{- end }}
{{- end }}
