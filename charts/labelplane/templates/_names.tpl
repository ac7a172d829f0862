{{- define "labelplane.fullname" -}}
{{- if contains "labelplane" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-labelplane" (.Release.Name | trunc 39 | trimSuffix "-") }}{{ end }}
{{- end }}

{{- define "labelplane.selectorLabels" -}}
app.kubernetes.io/name: labelplane
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "labelplane.labels" -}}
{{ include "labelplane.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: labelplane
{{- end }}

{{- define "labelplane.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}{{ default (include "labelplane.fullname" .) .Values.serviceAccount.name }}{{ else }}{{ default "default" .Values.serviceAccount.name }}{{ end }}
{{- end }}

{{- define "labelplane.image" -}}
{{- $image := index . 0 }}{{ $chart := index . 1 }}
{{- if $image.digest }}{{ printf "%s@%s" $image.repository $image.digest }}{{ else }}{{ printf "%s:%s" $image.repository (default $chart.AppVersion $image.tag) }}{{ end }}
{{- end }}

{{/* Every right the operator has, and why. Rules are the same cluster-wide and in a namespace. */}}
{{- define "labelplane.operatorRules" -}}
# Read what users ask for.
- apiGroups: [labelplane.dev]
  resources: [labelingfunctionsets, labelmodels, labeljobs]
  verbs: [get, list, watch]
# Tell users where it stands; their specs and metadata are never written.
- apiGroups: [labelplane.dev]
  resources: [labelingfunctionsets/status, labelmodels/status, labeljobs/status]
  verbs: [update]
# Be their children's owner where the OwnerReferencesPermissionEnforcement admission plugin is on.
- apiGroups: [labelplane.dev]
  resources: [labelingfunctionsets/finalizers, labelmodels/finalizers, labeljobs/finalizers]
  verbs: [update]
# Run checks, fits and labeling, put back a label that somebody took away, and clean them up.
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
# Read results (termination messages) and the reasons why a pod does not start.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
# Hand a job its configuration: made, checked for its owner on a name conflict, and removed. Never listed or changed.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, create, delete]
# Know which claims the pods of a run can share. By name; never listed.
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get]
# Tell people what happened, and count what happens again.
- apiGroups: [""]
  resources: [events]
  verbs: [get, create, patch]
{{- end }}
