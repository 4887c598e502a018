#!/bin/bash
# Encode a treebank with a Slurm array, one shard and one GPU per task; then train the probes.
#
#     array=$(sbatch --parsable --array=1-8 --gpus=1 examples/slurm_array.sh encode)
#     sbatch --dependency="afterok:$array" examples/slurm_array.sh sweep
#
# The jobs share only the folder $WORK, which must be on a file system that all nodes can access.
# Jobs that were killed resume when they are submitted again. To submit only some tasks of the array
# again, set SHARDS to the total number of shards:
#
#     SHARDS=8 sbatch --array=3,5 --gpus=1 examples/slurm_array.sh encode

#SBATCH --job-name=structprobe
#SBATCH --cpus-per-task=8
#SBATCH --mem=64G
#SBATCH --time=04:00:00

set -euo pipefail

MODEL=${MODEL:-bert-base-cased}
BANK=${BANK:-UD_English-EWT/en_ewt-ud}
WORK=${WORK:-$PWD/work}
SHARDS=${SHARDS:-${SLURM_ARRAY_TASK_COUNT:-1}}

case $1 in
encode)
    structprobe encode --model "$MODEL" --dtype float16 --layers all --cache "$WORK/vectors" --quiet \
        --shard "$SLURM_ARRAY_TASK_ID/$SHARDS" \
        "$BANK-train.conllu" "$BANK-dev.conllu" "$BANK-test.conllu"
    ;;
sweep)
    structprobe sweep --model "$MODEL" --dtype float16 --layers all --cache "$WORK/vectors" \
        --train "$BANK-train.conllu" --dev "$BANK-dev.conllu" --test "$BANK-test.conllu" \
        --ranks 32,128 --seeds 0,1,2 --jobs "$SLURM_CPUS_PER_TASK" -o "$WORK/results" --quiet
    ;;
esac
