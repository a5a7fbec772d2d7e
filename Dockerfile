# The workflow with a conda environment per rule, for those who have containers but no conda. Linted, but not built by the
# tests: they reach no registry. See docs/environments.md.
#
#     docker build --tag platonic .
#     docker run --rm --user "$(id -u):$(id -g)" --volume "$PWD:/data" platonic --cores 4
FROM condaforge/miniforge3:25.3.1-0

# For PyTorch with CUDA: --build-arg CUDA=12.9 (the newest that the machine's driver can serve). Without: for the CPU.
ARG CUDA=""
SHELL ["/bin/bash", "-o", "errexit", "-o", "nounset", "-o", "pipefail", "-c"]

# Snakemake in an environment that has nothing else: its packages are on the path of every script.
COPY requirements.txt /opt/workflow/
RUN python -m venv /opt/snakemake \
    && /opt/snakemake/bin/pip install --no-cache-dir --constraint /opt/workflow/requirements.txt snakemake

COPY Snakefile /opt/workflow/
COPY config /opt/workflow/config
COPY envs /opt/workflow/envs
COPY notebooks /opt/workflow/notebooks
COPY report /opt/workflow/report
COPY rules /opt/workflow/rules
COPY scripts /opt/workflow/scripts
RUN if [[ -n "$CUDA" ]]; then export CONDA_OVERRIDE_CUDA="$CUDA"; fi \
    && /opt/snakemake/bin/snakemake --snakefile /opt/workflow/Snakefile --directory /tmp/plan --cores 1 \
        --sdm conda --conda-prefix /opt/environments --conda-create-envs-only \
    && conda clean --all --yes \
    && rm -rf /tmp/plan

# For a user who has no home here.
ENV HOME=/data XDG_CACHE_HOME=/tmp/cache
WORKDIR /data
ENTRYPOINT ["/opt/snakemake/bin/snakemake", "--snakefile", "/opt/workflow/Snakefile", "--sdm", "conda", "--conda-prefix", "/opt/environments"]
