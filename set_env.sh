#!/usr/bin/env bash
# Make .venv from requirements.txt; then, on request, show the whole system or test it. Safe to run again.
#
#   bash set_env.sh               install
#   bash set_env.sh demo          install; sample corpus, preprocess, train, score, predict
#   bash set_env.sh denoise-demo  install; the same corpus with wrong labels: find them, train on the cleaned ones
#   bash set_env.sh test          install; style, types, imports, tests and kills
#   bash set_env.sh settings      install; make docs/settings.md and configs/schema.json from config.py
#
# PYTHON=/path/to/python3 chooses the interpreter (3.11 or later) that .venv is made from.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

fail() { echo "set_env.sh: $1" >&2; exit 2; }

install() {
  local stamp
  stamp=".venv/installed-$(cksum < requirements.txt | tr ' ' '-')"
  [ -e "$stamp" ] && return
  local python="${PYTHON:-python3}"
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    fail "$python is missing or older than Python 3.11; name another with PYTHON=/path/to/python3"
  [ -x .venv/bin/python ] || "$python" -m venv .venv ||
    fail "no virtual environment could be made; install the package that holds Python's venv module"
  echo "installing into .venv (some minutes the first time)"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
  rm -f .venv/installed-*
  touch "$stamp"
}

demo() {
  local config=configs/demo.yaml
  .venv/bin/python preprocess.py --sample 600 --config "$config"
  .venv/bin/python main.py --mode train --config "$config" --resume
  .venv/bin/python main.py --mode eval --config "$config" --split test
  .venv/bin/python main.py --mode predict --config "$config" --input data/origin/sample/test_data
}

denoise_demo() {
  local corpora=data/origin/denoise_demo
  .venv/bin/python preprocess.py --sample 400 --sample-folder $corpora/sample
  .venv/bin/python preprocess.py --noise $corpora/sample/train_data --noise-like configs/noise/ccf.json --output $corpora/noisy
  .venv/bin/python preprocess.py --sample 200 --seed 7 --sample-folder $corpora/unlabelled
  .venv/bin/python main.py --mode pipeline --config configs/denoise_demo.yaml
}

check_code() {
  .venv/bin/ruff check .
  .venv/bin/ruff format --check --quiet .
  .venv/bin/lint-imports
  .venv/bin/mypy
}

run_tests() {
  # Two processes with a core each; a file's tests stay together, for they share what its fixtures have trained.
  export OMP_NUM_THREADS=1
  .venv/bin/python -m pytest --numprocesses 2 --dist loadfile
  # Again what computes in half precision, as on a processor that has AVX2 and no instructions for bf16.
  ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 .venv/bin/python -m pytest --numprocesses 2 -m half_precision
}

# Kill every command at a few moments, fill its disk, run it twice at once: benchmarks/chaos.py without --quick does all.
survive() {
  OMP_NUM_THREADS=1 .venv/bin/python -m benchmarks.chaos --quick
}

case "${1:-install}" in
  install) install ;;
  demo) install; demo ;;
  denoise-demo) install; denoise_demo ;;
  test) install; check_code; run_tests; survive ;;
  settings) install; .venv/bin/python docs/make_settings.py ;;
  *) fail "unknown word '$1'; use demo, denoise-demo, test or settings, or none" ;;
esac
