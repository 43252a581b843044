{
  # Nix pins the interpreter and the libraries below Python; the hashed locks in envs/ pin
  # everything above. docs/nix.md states what of this was evaluated, and that its authors never
  # built any of it.
  description = "reassess: does SFT or RL help here, and can the figure be trusted?";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = { self, nixpkgs }:
    let
      systems = [ "x86_64-linux" ]; # the wheels below are of this kind
      each = make: nixpkgs.lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system});
      torch = "2.13.0"; # its hashes are in envs/torch.txt
      # Hashes of the folders that envs/wheelhouse.sh makes, computed from the real wheels, with the
      # locks they were made from.
      hashes = nixpkgs.lib.mapAttrs (kind: one: one.hash) (builtins.fromJSON (builtins.readFile ./envs/wheelhouse.json));

      wheelhouse = pkgs: kind: pkgs.stdenv.mkDerivation {
        name = "reassess-wheelhouse-${kind}";
        src = ./.;
        nativeBuildInputs = [ pkgs.python311 pkgs.python311Packages.pip pkgs.cacert ];
        outputHashMode = "recursive";
        outputHashAlgo = "sha256";
        outputHash = hashes.${kind};
        # Where pip looks is up to the user: the hash decides what it must find.
        impureEnvVars = [ "http_proxy" "https_proxy" "PIP_INDEX_URL" "PIP_EXTRA_INDEX_URL" "PIP_FIND_LINKS" ];
        buildPhase = "export HOME=$TMPDIR; bash envs/wheelhouse.sh ${kind} $TMPDIR/wheels ${pkgs.python311}/bin/python3.11";
        installPhase = "cp -r $TMPDIR/wheels $out";
        dontFixup = true;
      };

      environment = pkgs: kind:
        let
          wheels = wheelhouse pkgs kind;
          locks = if kind == "gpu" then "gpu" else "base dev";
        in
        pkgs.stdenv.mkDerivation {
          name = "reassess-environment-${kind}";
          src = ./.;
          nativeBuildInputs = [ pkgs.python311 pkgs.autoPatchelfHook ];
          buildInputs = [ pkgs.stdenv.cc.cc.lib pkgs.zlib ];
          autoPatchelfIgnoreMissingDeps = true; # the driver's libcuda comes from the host
          buildPhase = ''
            ${pkgs.python311}/bin/python3.11 -m venv --copies $out
            install="$out/bin/pip install --quiet --no-index --find-links ${wheels} --no-deps"
            $install setuptools
            $install torch===${torch}${if kind == "gpu" then "" else "+cpu"}
            for lock in ${locks}; do $install --no-build-isolation --require-hashes -r envs/$lock.txt; done
            $install --no-build-isolation .
          '';
          installPhase = "mkdir -p $out/share/reassess; cp -r Snakefile workflow config config.yaml claims envs results Makefile $out/share/reassess";
        };

      # On a machine with a GPU the driver's own library comes from the host.
      libraries = pkgs: "${pkgs.lib.makeLibraryPath [ pkgs.stdenv.cc.cc.lib pkgs.zlib ]}:/run/opengl-driver/lib";

      shell = pkgs: targets: pkgs.mkShell {
        packages = [ pkgs.python311 pkgs.gnumake pkgs.git pkgs.bashInteractive ];
        LD_LIBRARY_PATH = libraries pkgs;
        OMP_NUM_THREADS = "1";
        shellHook = ''
          make ${targets} PYTHON=${pkgs.python311}/bin/python3.11
          source .venv/bin/activate
        '';
      };

      app = pkgs: name: script: {
        type = "app";
        program = "${pkgs.writeShellScriptBin name ''
          set -euo pipefail
          export PATH=${environment pkgs "cpu"}/bin:${pkgs.git}/bin:$PATH OMP_NUM_THREADS=1
          ${script}
        ''}/bin/${name}";
      };
    in
    {
      devShells = each (pkgs: {
        default = shell pkgs "setup-test";
        cuda = shell pkgs "setup-test setup-gpu";
      });

      packages = each (pkgs: {
        default = environment pkgs "cpu";
        gpu = environment pkgs "gpu";
        wheelhouse = wheelhouse pkgs "cpu";
        wheelhouse-gpu = wheelhouse pkgs "gpu";
        # For GPU nodes: `nix build .#image`, then
        # `apptainer build reassess.sif docker-archive:result` and `apptainer run --nv`.
        image = pkgs.dockerTools.buildLayeredImage {
          name = "reassess";
          tag = "latest";
          contents = [ (environment pkgs "gpu") pkgs.bashInteractive pkgs.coreutils pkgs.git pkgs.cacert ];
          config = {
            Env = [ "OMP_NUM_THREADS=1" "LD_LIBRARY_PATH=${libraries pkgs}:/.singularity.d/libs" ];
            Entrypoint = [ "${environment pkgs "gpu"}/bin/reassess" ];
          };
        };
      });

      # Both are called in a checkout: results and scratch go into the current folder.
      apps = each (pkgs: {
        default = app pkgs "reassess-run" "reassess run --config \${1:-config.yaml}";
        test = app pkgs "reassess-test" "pytest -n 2 --dist loadfile \"$@\"";
      });

      checks = each (pkgs: {
        # The environment is complete, and draws the committed figures byte by byte.
        environment = pkgs.runCommand "reassess-check-environment" { } ''
          ${environment pkgs "cpu"}/bin/reassess doctor > $out
        '';
        figures = pkgs.runCommand "reassess-check-figures" { } ''
          export HOME=$TMPDIR
          ${environment pkgs "cpu"}/bin/reassess bundle verify figures --bundle ${./results/reference/micro} > $out
        '';
        scores = pkgs.runCommand "reassess-check-scores" { } ''
          export HOME=$TMPDIR
          ${environment pkgs "cpu"}/bin/reassess bundle verify scores --bundle ${./results/reference/micro} > $out
        '';
      });
    };
}
