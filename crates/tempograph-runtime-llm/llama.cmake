# Builds less of llama.cpp, and its files in batches: its C++ was 40 % of the processor time of a first build.
#
# `.cargo/config.toml` has CMake read this file with llama.cpp's project; it acts after all of the project's own files.
# A build that does not read it takes longer and does the same. When a new version of the binding calls more,
# linking fails and names the function: its file belongs in the list below.

if(CMAKE_VERSION VERSION_LESS 3.19) # no DEFER
    return()
endif()

function(tempograph_build_less)
    # What the binding's wrapper refers to; not the templates of chats, the command line and the downloads.
    set_target_properties(llama-common PROPERTIES SOURCES
        "common.cpp;fit.cpp;json-schema-to-grammar.cpp;json-schema.cpp;json.cpp;log.cpp;ngram-cache.cpp;ngram-map.cpp;ngram-mod.cpp;reasoning-budget.cpp;sampling.cpp;speculative.cpp;trie.cpp;unicode.cpp")
    get_target_property(libraries llama-common LINK_LIBRARIES)
    list(REMOVE_ITEM libraries cpp-httplib)
    set_target_properties(llama-common PROPERTIES LINK_LIBRARIES "${libraries}")
    set_target_properties(cpp-httplib PROPERTIES EXCLUDE_FROM_ALL ON)

    # llama.cpp compiles the graphs of its text models in batches; the rest of the library can be, too.
    get_target_property(folder llama SOURCE_DIR)
    get_target_property(files llama SOURCES)
    list(FILTER files EXCLUDE REGEX "^/")
    list(TRANSFORM files PREPEND "${folder}/")
    set_source_files_properties(${files} TARGET_DIRECTORY llama PROPERTIES SKIP_UNITY_BUILD_INCLUSION OFF)

    # The vision encoders can be, too, but for their helpers, which must not see the insides.
    get_target_property(folder mtmd SOURCE_DIR)
    set_target_properties(mtmd PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 16)
    set_source_files_properties("${folder}/mtmd-helper.cpp" "${folder}/mtmd-helper-gen.cpp"
        TARGET_DIRECTORY mtmd PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()
cmake_language(DEFER CALL tempograph_build_less)
