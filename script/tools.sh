# The programs that are built from source with Go; sourced by script/bootstrap.
#
# Each folder of script/tools is a Go module with `tool` lines, so that go.sum pins every
# byte. A module is built again only when its go.mod, its go.sum or its recipe below changes.

# Prints the recipe of a module: what `go build` is given, one program a line.
recipe() {
    case $1 in
        runc)     echo "runc -tags=seccomp github.com/opencontainers/runc" ;;
        buildkit) echo "buildkitd -ldflags=-X=github.com/moby/buildkit/version.Version=v0.33.1 github.com/moby/buildkit/cmd/buildkitd"
                  echo "buildctl -ldflags=-X=github.com/moby/buildkit/version.Version=v0.33.1 github.com/moby/buildkit/cmd/buildctl" ;;
        clients)  echo "crane github.com/google/go-containerregistry/cmd/crane"
                  echo "regctl github.com/regclient/regclient/cmd/regctl"
                  echo "oras oras.land/oras/cmd/oras"
                  echo "cosign -ldflags=-X=sigs.k8s.io/release-utils/version.gitVersion=v3.1.3 github.com/sigstore/cosign/v3/cmd/cosign"
                  echo "helm helm.sh/helm/v3/cmd/helm" ;;
        cosign2)  echo "cosign2 -ldflags=-X=sigs.k8s.io/release-utils/version.gitVersion=v2.6.5 github.com/sigstore/cosign/v2/cmd/cosign" ;;
        registry) echo "registry github.com/distribution/distribution/v3/cmd/registry" ;;
        s3)       echo "versitygw github.com/versity/versitygw/cmd/versitygw" ;;
        *)        die "there is no tool module $1 in script/tools" ;;
    esac
}

tool_hash() {
    { cat "$ROOT/script/tools/$1/go.mod" "$ROOT/script/tools/$1/go.sum"; recipe "$1"; } | sha256sum | cut -c1-64
}

# True if all programs of a module are there, built from the present go.sum.
tool_ready() {
    local program _rest
    [ "$(cat "$TOOLS/stamps/$1" 2>/dev/null)" = "$(tool_hash "$1")" ] || return 1
    while read -r program _rest; do [ -x "$TOOLS_BIN/$program" ] || return 1; done < <(recipe "$1")
}

build_tool() {
    local module=$1 program arguments fresh
    mkdir -p "$TOOLS_BIN" "$TOOLS/stamps"
    fresh=$(mktemp -d "$TOOLS/.build.XXXXXX")
    while read -r program arguments; do
        # A running daemon keeps its old file: the new one is moved over it, never written into it.
        # shellcheck disable=SC2086 # the recipe is split into words on purpose
        quietly "building $program (Go)" \
            nice env -C "$ROOT/script/tools/$module" GOFLAGS=-buildvcs=false go build -trimpath -o "$fresh/$program" $arguments
        mv -f "$fresh/$program" "$TOOLS_BIN/$program"
    done < <(recipe "$module")
    # BuildKit looks for `buildkit-runc` before `runc`.
    [ "$module" != runc ] || ln -sf runc "$TOOLS_BIN/buildkit-runc"
    rmdir "$fresh"
    tool_hash "$module" >"$TOOLS/stamps/$module"
}
