#!/usr/bin/env bash
# vendor.sh puts the packages that the dashboard is built from into vendor/: their modules, types and licences, as npm has them.
# Run it after a change of the table below. Building the product needs no npm.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# take NAME VERSION INTEGRITY FILE... unpacks files of an archive whose content is known.
take() {
    local name=$1 version=$2 integrity=$3 archive sum
    shift 3
    archive=$(cd "$work" && npm pack --silent "$name@$version")
    sum=sha512-$(openssl dgst -sha512 -binary "$work/$archive" | base64 -w0)
    [ "$sum" = "$integrity" ] || { echo "$name@$version has the integrity $sum, want $integrity" >&2; exit 1; }
    rm -rf "vendor/$name"
    mkdir -p "vendor/$name"
    tar -xzf "$work/$archive" -C "vendor/$name" --strip-components=1 --wildcards package/package.json package/LICENSE "$@"
}

take preact 11.2.0 sha512-/HfHI/7N84e6GrWBJ3J280z3mLaRJiDcSvj/A+y/4AbLnND/1UlGHe1sR6oYuTGwId0nP7dqDU9OnLxMPZ7xBg== \
    package/dist/preact.mjs package/hooks/package.json package/hooks/dist/hooks.mjs package/jsx-runtime/package.json \
    package/jsx-runtime/dist/jsxRuntime.mjs 'package/src/*.d.ts' 'package/hooks/src/*.d.ts' 'package/jsx-runtime/src/*.d.ts'
take @preact/signals 2.11.4 sha512-Rb+5RPo9gWSaHtzJeauhHxiC8KP/IF2DEPkHPEOGOnuy2wnJzRqyeLRankUCYd6ADqtxS6GnWGv6Ie343d8aYw== \
    package/dist/signals.module.js package/dist/signals.d.ts
take @preact/signals-core 1.14.5 sha512-vcRv7Ityz5JVmeiVqIluLFzT/PDS/AlhHUpw3/aUWqcVUs6bDGIPXE/6RSC4evBNWYvnniozg5Syfj33al3gkg== \
    package/dist/signals-core.module.js package/dist/signals-core.d.ts
take uplot 1.6.32 sha512-KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw== \
    package/dist/uPlot.esm.js package/dist/uPlot.d.ts package/dist/uPlot.min.css
