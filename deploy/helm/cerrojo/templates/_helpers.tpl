{{- define "cerrojo.fullname" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "cerrojo.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "cerrojo.labels" -}}
{{ include "cerrojo.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "cerrojo.host" -}}
{{ .Values.ingress.host | default (urlParse .Values.publicUrl).hostname }}
{{- end }}

{{/* The secrets among the settings: those that the chart knows of, and the others. */}}
{{- define "cerrojo.secrets" -}}
{{- if eq .Values.database.kind "postgresql" }}
- setting: database.url
  name: {{ .Values.database.urlSecret.name }}
  key: {{ .Values.database.urlSecret.key }}
{{- end }}
{{- if .Values.masterKeySecret.name }}
- setting: keys.master_key
  name: {{ .Values.masterKeySecret.name }}
  key: {{ .Values.masterKeySecret.key }}
{{- end }}
{{- with .Values.secretSettings }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* What both kinds of workload run. */}}
{{- define "cerrojo.pod" -}}
{{- $secrets := include "cerrojo.secrets" . | fromYamlArray -}}
metadata:
  labels:
    {{- include "cerrojo.selector" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # Pods take changed settings over by being made anew.
    checksum/settings: {{ include (print $.Template.BasePath "/settings.yaml") . | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "cerrojo.fullname" . }}
  automountServiceAccountToken: false
  # Their variables would begin like settings.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ add .Values.preStopSeconds 25 }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    # Not at every start: files of the server's own would be opened to the group each time.
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: cerrojo
      image: {{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [serve]
      env:
        - name: CERROJO_SERVER__LISTEN
          value: 0.0.0.0:4000
        {{- if .Values.metrics.enabled }}
        - name: CERROJO_METRICS__LISTEN
          value: 0.0.0.0:9464
        {{- end }}
        {{- range $secrets }}
        - name: {{ printf "CERROJO_%s_FILE" (.setting | replace "." "__" | upper) }}
          value: /run/secrets/cerrojo/{{ .setting }}
        {{- end }}
      ports:
        - name: http
          containerPort: 4000
        {{- if .Values.metrics.enabled }}
        - name: metrics
          containerPort: 9464
        {{- end }}
      startupProbe:
        httpGet: { path: /health/live, port: http }
        periodSeconds: 2
        failureThreshold: {{ .Values.startup.attempts }}
      # Whether it runs: a database that is away is no reason to kill the nodes that wait for it.
      livenessProbe:
        httpGet: { path: /health/live, port: http }
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      readinessProbe:
        httpGet: { path: /health/ready, port: http }
        periodSeconds: 2
        timeoutSeconds: 2
        failureThreshold: 1
      lifecycle:
        preStop:
          sleep: { seconds: {{ .Values.preStopSeconds }} }
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      {{- with .Values.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      volumeMounts:
        - name: data
          mountPath: /data
        - name: settings
          mountPath: /etc/cerrojo
          readOnly: true
        {{- if $secrets }}
        - name: secrets
          mountPath: /run/secrets/cerrojo
          readOnly: true
        {{- end }}
  volumes:
    - name: settings
      configMap:
        name: {{ include "cerrojo.fullname" . }}
    {{- if $secrets }}
    - name: secrets
      projected:
        # For the group, which fsGroup makes the server's.
        defaultMode: 0440
        sources:
          {{- range $secrets }}
          - secret:
              name: {{ .name }}
              items:
                - key: {{ .key }}
                  path: {{ .setting }}
          {{- end }}
    {{- end }}
    {{- if eq .Values.database.kind "postgresql" }}
    # How far this node has read the log; the database itself says so too.
    - name: data
      emptyDir:
        sizeLimit: 64Mi
    {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if eq .Values.database.kind "postgresql" }}
  # Not all on one machine, where there are more.
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "cerrojo.selector" . | nindent 10 }}
  {{- end }}
{{- end }}

{{/* Values come as floating-point numbers: 1048576 would be written 1.048576e+06. */}}
{{- define "cerrojo.scalar" -}}
{{- if kindIs "float64" . }}{{ int64 . }}{{ else }}{{ toString . }}{{ end }}
{{- end }}
